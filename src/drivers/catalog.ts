import type { DriverModule } from './driver.ts';
import { ociDriver } from './oci/oci-driver.ts';

/** Every driver that ships with Fumehood, by id: one line each. */
export const DRIVERS: Readonly<Record<string, DriverModule>> = {
  [ociDriver.id]: ociDriver,
};
