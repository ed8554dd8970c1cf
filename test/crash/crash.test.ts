/** `kill -9` of the control plane at random points under mixed load; FUMEHOOD_CRASH_POINTS says at how many. */
import { test } from 'node:test';
import { describeKills } from './kill-points.ts';

const POINTS = Number(process.env.FUMEHOOD_CRASH_POINTS ?? 100);
const SEED = Number(process.env.FUMEHOOD_CRASH_SEED ?? Date.now() % 1_000_000);
const { FUMEHOOD_TEST_POSTGRES: postgres } = process.env;

const ON_POSTGRES = postgres === undefined ? 0 : Math.ceil(POINTS / 4);

describeKills({ store: 'SQLite', points: POINTS - ON_POSTGRES, seed: SEED });
if (postgres === undefined) test('PostgreSQL', { skip: 'FUMEHOOD_TEST_POSTGRES names no database' }, () => undefined);
else describeKills({ store: 'PostgreSQL', postgres, points: ON_POSTGRES, seed: SEED + 1 });
