/**
 * How fast a sandbox may read and write its workspace. Workspaces lie on one disk: without a bound, who writes and syncs without end makes
 * everybody else's syncs ten times longer.
 */
import { existsSync, statSync } from 'node:fs';
import { cgroupControllers, cgroupVersion } from './cgroups.ts';

const MIB = 1024 * 1024;
const BYTES_PER_SECOND = { read: 256 * MIB, write: 128 * MIB };
const OPERATIONS_PER_SECOND = 8192;

/** Whether the kernel can bound it. */
export const diskIsThrottled = (): boolean =>
  cgroupVersion() === 2
    ? cgroupControllers().includes('io')
    : existsSync('/sys/fs/cgroup/blkio/blkio.throttle.write_bps_device');

/** The part of an OCI configuration's resources for the device that holds a folder, where the kernel can bound it. */
export function diskThrottle(folder: string): Record<string, unknown> {
  if (!diskIsThrottled()) return {};
  const { major, minor } = deviceOf(folder);
  const rate = (rate: number): { major: number; minor: number; rate: number }[] => [{ major, minor, rate }];
  return {
    blockIO: {
      throttleReadBpsDevice: rate(BYTES_PER_SECOND.read),
      throttleWriteBpsDevice: rate(BYTES_PER_SECOND.write),
      throttleReadIOPSDevice: rate(OPERATIONS_PER_SECOND),
      throttleWriteIOPSDevice: rate(OPERATIONS_PER_SECOND),
    },
  };
}

/** Linux's numbers of the device that a folder is on: 12 bits and 20, the upper ones of both apart. */
function deviceOf(folder: string): { major: number; minor: number } {
  const { dev } = statSync(folder);
  return { major: (dev >> 8) & 0xfff, minor: (dev & 0xff) | ((dev >> 12) & 0xfff00) };
}
