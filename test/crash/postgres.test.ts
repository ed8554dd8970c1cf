/** `kill -9` of the control plane over PostgreSQL. */
import { test } from 'node:test';
import { POINTS_A_STORE, SEED } from './how-many.ts';
import { describeKills } from './kill-points.ts';

const { FUMEHOOD_TEST_POSTGRES: postgres } = process.env;

if (postgres === undefined) test('PostgreSQL', { skip: 'FUMEHOOD_TEST_POSTGRES names no database' }, () => undefined);
else describeKills({ store: 'PostgreSQL', postgres, points: POINTS_A_STORE, seed: SEED + 1 });
