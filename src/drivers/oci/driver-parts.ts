import type { DriverDeps, Probe } from '../driver.ts';
import type { Helper } from './helper-client.ts';
import type { IdRanges } from './id-ranges.ts';
import type { Networks } from './networks.ts';
import type { Paths } from './paths.ts';
import type { Runtime } from './runtime.ts';
import type { Workspaces } from './workspaces.ts';

/** What the driver's operations work with. */
export type Parts = {
  deps: DriverDeps;
  paths: Paths;
  helper: Helper;
  ranges: IdRanges;
  networks: Networks;
  workspaces: Workspaces;
  runtime: Runtime;
  agentCode: () => Promise<string>;
  probe: () => Promise<Probe>;
};
