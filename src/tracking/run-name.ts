import { randomInt } from 'node:crypto';

const FIRST = [
  'amber',
  'brisk',
  'calm',
  'deft',
  'eager',
  'fair',
  'gentle',
  'hardy',
  'keen',
  'lucid',
  'mellow',
  'nimble',
  'plain',
  'quiet',
  'ready',
  'sober',
  'tidy',
  'vivid',
  'warm',
  'wry',
];
const SECOND = [
  'beaker',
  'burner',
  'crucible',
  'filter',
  'flask',
  'funnel',
  'gauge',
  'hood',
  'lens',
  'mortar',
  'pipette',
  'prism',
  'probe',
  'retort',
  'scale',
  'sieve',
  'spatula',
  'tongs',
  'valve',
  'vial',
];

/** A name for a run that nobody named. */
export const randomRunName = (): string =>
  `${FIRST[randomInt(FIRST.length)]}-${SECOND[randomInt(SECOND.length)]}-${randomInt(100, 1000)}`;
