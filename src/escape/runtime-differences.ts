/** Attacks that come to something else under a runtime whose kernel is not the host's, and why that is no hole. */

export type Difference =
  /** Stopped by other walls as well. */
  | { refusedBy: readonly string[] }
  /** It goes through, and what it reaches is the sandbox's own. */
  | { reaches: string }
  /** It ends the sandbox that it is in, and no other. */
  | { ends: string }
  /** Not even the control without a wall sees what it is after. */
  | { unseen: string };

const OWN = 'it reaches the kernel that the sandbox has for itself, in its own process and memory';
const MEMORY = "its kernel is in its memory: used up, the sandbox ends as a whole, and nobody else's";

const NEIGHBOUR = 'a neighbour has it in a kernel of its own, where no other process of the host sees it';

const GVISOR: Readonly<Record<string, Difference>> = {
  'clone3-user-namespace': { reaches: OWN },
  'system-calls-of-32-bit': { refusedBy: ['a wrong answer'] },
  'identity-of-the-machine': { reaches: `${OWN}; test/escape/gvisor.test.ts compares the ids` },
  firmware: { reaches: OWN },
  'file-capabilities': { refusedBy: ['ENOTSUP'] },
  'raise-priority': { reaches: OWN },
  'realtime-scheduling': { refusedBy: ['EINVAL'] },
  'escape-the-oom-killer': { reaches: OWN },
  'disk-of-the-host': { refusedBy: ['ENOENT'] },
  'device-fuse': { reaches: OWN },
  'files-of-a-neighbour': { unseen: NEIGHBOUR },
  'descriptor-from-a-neighbour': { unseen: NEIGHBOUR },
  'abstract-socket-of-a-neighbour': { unseen: NEIGHBOUR },
  'kill-the-agent': { ends: 'its first process is no other than the rest: killed, the sandbox ends' },
  'memory-through-shared-files': { ends: MEMORY },
  'memory-by-swap': { ends: MEMORY },
  'memory-of-pipes': { ends: MEMORY },
  'fork-bomb': { ends: MEMORY },
  'watches-of-files': { reaches: OWN },
  'watched-files': { reaches: OWN },
  zombies: { reaches: OWN },
  'message-queues': { reaches: OWN },
  'slots-of-asynchronous-io': { refusedBy: ['EPERM'] },
  terminals: { reaches: OWN },
  'processor-time': { reaches: 'it is told a time of its own; test/escape/gvisor.test.ts measures on the host' },
  'connections-of-the-host': { refusedBy: ['ENOENT'] },
  'interface-down': { refusedBy: ['ENOTTY'] },
  'mark-packets': { reaches: OWN },
  'network-settings': { refusedBy: ['ENOENT'] },
};

const BY_RUNTIME: Readonly<Record<string, Readonly<Record<string, Difference>>>> = { runsc: GVISOR };

/** What is otherwise about an attack under a runtime. */
export const differenceOf = (runtime: string, attack: string): Difference | undefined => BY_RUNTIME[runtime]?.[attack];
