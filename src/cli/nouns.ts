import type { Noun } from './command.ts';

/** Every first word of the command line; what is behind it is loaded only when it is called. */
export const NOUNS: readonly Noun[] = [
  { name: 'up', summary: 'Start the control plane', load: async () => (await import('./commands/up.ts')).up },
  {
    name: 'down',
    summary: 'Delete every sandbox and stop the control plane',
    load: async () => (await import('./commands/down.ts')).down,
  },
  {
    name: 'status',
    summary: 'Show whether and where the control plane runs',
    load: async () => (await import('./commands/status.ts')).status,
  },
  {
    name: 'demo',
    summary: 'Train, track, register and use a small GPT in sealed sandboxes',
    load: async () => (await import('./commands/demo.ts')).demo,
  },
  {
    name: 'test',
    summary: 'Run all tests of this checkout',
    load: async () => (await import('./commands/test.ts')).test,
  },
  {
    name: 'doctor',
    summary: 'Check what this host can enforce, and how to mend what it cannot',
    load: async () => (await import('./commands/doctor.ts')).doctor,
  },
  {
    name: 'setup',
    summary: 'Install what sandboxes are run with',
    load: async () => (await import('./commands/setup.ts')).setup,
  },
  {
    name: 'open',
    summary: 'Open JupyterLab in a sandbox in the browser',
    load: async () => (await import('./commands/open.ts')).open,
  },
  {
    name: 'login',
    summary: 'Keep the address and token of a control plane',
    load: async () => (await import('./commands/login.ts')).login,
  },
  { name: 'logout', summary: 'Forget what login kept', load: async () => (await import('./commands/login.ts')).logout },
  {
    name: 'sandbox',
    summary: 'Sealed, disposable environments',
    load: async () => (await import('./commands/sandbox.ts')).sandbox,
  },
  {
    name: 'top',
    summary: 'What all running sandboxes use, the busiest first',
    load: async () => (await import('./commands/top.ts')).top,
  },
  {
    name: 'environment',
    summary: 'Locked Python environments',
    load: async () => (await import('./commands/environment.ts')).environment,
  },
  {
    name: 'image',
    summary: 'OCI images that can be the root of a sandbox',
    load: async () => (await import('./commands/image.ts')).image,
  },
  {
    name: 'dataset',
    summary: 'Data sets, their versions and tags',
    load: async () => (await import('./commands/dataset.ts')).dataset,
  },
  {
    name: 'run',
    summary: 'Run a file in a sandbox of its own; tracked runs',
    load: async () => (await import('./commands/run.ts')).run,
  },
  {
    name: 'model',
    summary: 'Registered models and their versions',
    load: async () => (await import('./commands/model.ts')).model,
  },
  { name: 'secret', summary: 'Secrets', load: async () => (await import('./commands/secret.ts')).secret },
  { name: 'policy', summary: 'Policies in Rego', load: async () => (await import('./commands/policy.ts')).policy },
  { name: 'access', summary: 'Requests for access', load: async () => (await import('./commands/access.ts')).access },
  {
    name: 'approval',
    summary: 'Decide on requests for access',
    load: async () => (await import('./commands/approval.ts')).approval,
  },
  {
    name: 'audit',
    summary: 'The tamper-evident audit log',
    load: async () => (await import('./commands/audit.ts')).audit,
  },
  {
    name: 'lineage',
    summary: 'What went into a thing and what came of it',
    load: async () => (await import('./commands/lineage.ts')).lineage,
  },
  { name: 'user', summary: 'People and their roles', load: async () => (await import('./commands/user.ts')).user },
  {
    name: 'token',
    summary: 'Tokens that log people and services in',
    load: async () => (await import('./commands/token.ts')).token,
  },
  {
    name: 'quota',
    summary: 'What a user or a team may use',
    load: async () => (await import('./commands/quota.ts')).quota,
  },
  {
    name: 'backup',
    summary: 'Write, check and restore backups of a home',
    load: async () => (await import('./commands/backup.ts')).backup,
  },
  {
    name: 'key',
    summary: 'The key that protects objects and secrets',
    load: async () => (await import('./commands/key.ts')).key,
  },
  {
    name: 'upgrade',
    summary: 'Bring the store to the version of this program',
    load: async () => (await import('./commands/upgrade.ts')).upgrade,
  },
  {
    name: 'config',
    summary: 'The configuration and where each value comes from',
    load: async () => (await import('./commands/config.ts')).config,
  },
  {
    name: 'docs',
    summary: 'This documentation',
    load: async () => (await import('./commands/docs.ts')).docs,
  },
  {
    name: 'man',
    summary: 'Print the manual page',
    load: async () => (await import('./commands/man.ts')).man,
  },
  {
    name: 'completion',
    summary: 'Print completion for bash, zsh or fish',
    load: async () => (await import('./commands/completion.ts')).completion,
  },
];
