import { existsSync, readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { AppError } from '#kernel/errors.ts';
import { createExportWriter, type ExportHead, type ExportWriter } from '#src/audit/write-export.ts';
import { at } from './api-client.ts';
import type { Context } from './command.ts';

/** `audit export DIR`: streams the log and writes tiles, checkpoint and key. */
export async function exportAudit(context: Context): Promise<undefined> {
  const dir = context.arg('DIR');
  if (existsSync(dir) && readdirSync(dir).length > 0)
    throw new AppError('conflict', `"${dir}" is not empty.`, {
      details: { hint: 'Name a folder that is empty or not there.' },
    });
  let writer: ExportWriter | undefined;
  let head: ExportHead | undefined;
  const lines = createInterface({
    input: await context.api.download(at('audit', 'export')),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
  for await (const line of lines) {
    if (writer === undefined) {
      head = JSON.parse(line) as ExportHead;
      writer = createExportWriter(dir, head);
    } else {
      const { from, bundle } = JSON.parse(line) as { from: number; bundle: string };
      writer.bundle(from, Buffer.from(bundle, 'base64'));
    }
  }
  if (writer === undefined || head === undefined) throw new AppError('unavailable', 'The export was empty.');
  writer.finish();
  context.out.text(
    `${head.size} entries in ${dir}; check them with: fumehood audit verify --dir ${dir} --public-key ${dir}/public-key`,
    {
      dir,
      size: head.size,
      publicKey: `${dir}/public-key`,
    },
  );
  return undefined;
}
