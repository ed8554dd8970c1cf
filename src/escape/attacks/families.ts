import type { Family } from '../attack.ts';
import { devices } from './devices.ts';
import { hostControl } from './host-control.ts';
import { hostView } from './host-view.ts';
import { kernelSurface } from './kernel-surface.ts';
import { mounts } from './mounts.ts';
import { namespaces } from './namespaces.ts';
import { network } from './network.ts';
import { privileges } from './privileges.ts';
import { processes } from './processes.ts';
import { residue } from './residue.ts';
import { resources } from './resources.ts';
import { starvation } from './starvation.ts';
import { storage } from './storage.ts';

/** Every attack that is a script, by family. */
export const FAMILIES: readonly Family[] = [
  mounts,
  namespaces,
  kernelSurface,
  hostControl,
  privileges,
  devices,
  processes,
  storage,
  resources,
  network,
  residue,
  hostView,
  starvation,
];
