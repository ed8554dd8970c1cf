/** Who may call which route: rows that follow from the OpenAPI document and the default policy's table of actions. */
const ROLES = ['engineer', 'operator', 'officer'] as const;

type Reach = Partial<Record<(typeof ROLES)[number], 'own' | 'any'>>;
type Document = { paths?: Record<string, Record<string, { 'x-fumehood-action'?: string; summary?: string }>> };
export type RoleRow = { method: string; path: string; action: string; reach: Reach | undefined };

/** One row a route, by path; `reach` is undefined where policy has no entry for the action, which nothing may have. */
export function roleRows(document: Document, actions: Readonly<Record<string, Reach>>): RoleRow[] {
  const rows = Object.entries(document.paths ?? {}).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => {
      const action = operation['x-fumehood-action'] ?? '';
      return { method: method.toUpperCase(), path, action, reach: actions[action] };
    }),
  );
  return rows.sort((a, b) => (a.path === b.path ? compare(a.method, b.method) : compare(a.path, b.path)));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The rows as the reference page `docs/reference/routes.md`. */
export function renderRoleTable(rows: readonly RoleRow[]): string {
  const cells = rows.map(({ method, path, action, reach }) => {
    const roles = ROLES.map((role) => reach?.[role] ?? '–');
    return `| ${method} | \`${path}\` | \`${action}\` | ${roles.join(' | ')} |\n`;
  });
  return `# Routes and roles

Generated from the routes and the default policy; a test compares. \`own\`: what the user owns; \`any\`: everybody's; –: denied.
Policies that are applied besides, labels and approvals can only take away from this.

| method | path | action | engineer | operator | officer |
|---|---|---|---|---|---|
${cells.join('')}`;
}
