/** `kill -9` of the control plane at random points under mixed load. */
import { test } from 'node:test';
import { describeKills } from './kill-points.ts';

const POINTS = Number(process.env.FUMEHOOD_CRASH_POINTS ?? 20);
const SEED = Number(process.env.FUMEHOOD_CRASH_SEED ?? Date.now() % 1_000_000);
const { FUMEHOOD_TEST_POSTGRES: postgres } = process.env;

describeKills({ store: 'SQLite', points: POINTS, seed: SEED });
if (postgres === undefined) test('PostgreSQL', { skip: 'FUMEHOOD_TEST_POSTGRES names no database' }, () => undefined);
else describeKills({ store: 'PostgreSQL', postgres, points: Math.ceil(POINTS / 3), seed: SEED + 1 });
