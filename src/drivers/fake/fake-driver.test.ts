import { runDriverContract } from '../contract.ts';
import { fakeDriver } from './fake-driver.ts';
import { createFakeWorld } from './fake-world.ts';

const world = createFakeWorld();
const deps = { stateDir: '/nonexistent', pythonDir: '/nonexistent', log: () => undefined, nowMs: Date.now, config: {} };

runDriverContract('fake', { create: () => fakeDriver(world).create(deps), real: false });
