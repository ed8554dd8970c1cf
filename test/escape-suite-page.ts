/** The reference page of the escape suite, made from the attacks themselves. */
import type { Attack, Control, Shared, Trial } from '#src/escape/attack.ts';
import { FAMILIES } from '#src/escape/attacks/families.ts';

const SHARES: Record<Shared, string> = {
  'host-cgroup': "among the host's control groups",
  'host-network': "in the host's network",
  'host-pid': "among the host's processes",
  'neighbour-network': "in the neighbour's network",
  'host-folder-descriptor': 'with a folder of the host left open',
  'host-folder': 'with a folder of the host',
};

const CONTROLS: Record<Exclude<Control, 'host-namespace'>, string> = {
  'privileged-container': 'a container without the wall',
  'errno-only': 'the same, by its errno alone',
};

function controlOf(attack: Attack | Trial): string {
  if (attack.control === 'beside') return attack.without;
  if (attack.control !== 'host-namespace') return CONTROLS[attack.control];
  return `the same, ${attack.shares === undefined ? 'less sealed' : SHARES[attack.shares]}`;
}

export function escapeSuitePage(generated: string, cell: (text: string) => string): string {
  const count = FAMILIES.reduce((sum, { attacks }) => sum + attacks.length, 0);
  const sections = FAMILIES.map(({ name, title, attacks }) => {
    const rows = attacks.map(
      (attack) =>
        `| \`${attack.name}\` | ${cell(attack.attempts)} | ${attack.refusedBy.map((one) => `\`${one}\``).join(', ')} | ${cell(controlOf(attack))} | ${cell(attack.mayLack ?? '')} |`,
    );
    return `## ${title} (\`--only ${name}\`)\n\n| attack | what it tries | its walls | where it works | not shown without |\n|---|---|---|---|---|\n${rows.join('\n')}\n`;
  });
  return `${generated}
# The escape suite

${count} attacks that \`fumehood doctor --escape\` runs; [how to run it](../how-to/run-the-escape-suite.md). Each is tried in a sealed sandbox, where one of its walls must stop it: an errno, a
signal, or what the attack itself finds. It is also tried where it must work: in a container with every capability, no filter and nothing masked, in namespaces of its own, or in one
that shares the one thing that a sandbox must not. What no namespace holds (clock, kernel, modules, swap) is only called in a way that cannot act, and shown by its errno.

Attacks that need a whole control plane are tests in \`test/escape/\`: the way out and the gateway, file operations, ports, images, the pool, identifiers and tokens, forged requests, secrets,
names and paths, restart and death of the control plane, and the end of a sandbox. An agent that lies, floods or keeps silent is in \`src/drivers/agent/agent.test.ts\`.

${sections.join('\n')}`;
}
