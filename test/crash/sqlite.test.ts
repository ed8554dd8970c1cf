/** `kill -9` of the control plane over SQLite. */
import { POINTS_A_STORE, SEED } from './how-many.ts';
import { describeKills } from './kill-points.ts';

describeKills({ store: 'SQLite', points: POINTS_A_STORE, seed: SEED });
