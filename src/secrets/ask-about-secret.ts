import type { Reader } from '#kernel/sql.ts';
import type { Question, Subject } from '#src/policies/decision.ts';
import { nodeOfSecret, type Secret } from './secret.ts';
import { selectSecret } from './secret-store.ts';
import type { SecretsDeps } from './secrets-deps.ts';

export type SecretAction = 'secret.read' | 'secret.write' | 'secret.list' | 'secret.delete' | 'secret.configure';

/** The question about one secret, and what is there; who writes to a new path will own it. */
export async function askAboutSecret(
  deps: Pick<SecretsDeps, 'lineage'>,
  reader: Reader,
  asked: { action: SecretAction; path: string; subject: Subject },
): Promise<{ secret: Secret | undefined; questions: Question[] }> {
  const { action, path, subject } = asked;
  const secret = await selectSecret(reader, path);
  const labels = await deps.lineage.labelsOf(reader, [nodeOfSecret(path)]);
  const owner = secret?.owner ?? subject.user;
  const object = { type: 'secret', id: path, name: path, owner, labels };
  return { secret, questions: [{ action, resource: 'secret', object }] };
}
