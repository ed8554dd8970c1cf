import { createInterface } from 'node:readline';
import { AppError } from '#kernel/errors.ts';
import { at } from '../api-client.ts';
import { cell } from '../cell.ts';
import type { Argument, Command, Context } from '../command.ts';
import { durationOf } from '../numbers.ts';

type Line = { time: string; kind: string; path: string };

const SYMBOLS: Readonly<Record<string, string>> = { created: '+', modified: '~', deleted: '-', missed: '!' };
const KIND_WIDTH = 8;

/** `sandbox watch`. */
export const watchFiles = (id: Argument): Command => ({
  verb: 'watch',
  summary: 'Tell what is made, written and removed below a folder of a sandbox, as it happens',
  example: 'fumehood sandbox watch first /workspace/results',
  details: 'Goes on until Ctrl-C, or until the folder or the sandbox is gone. "missed" means: look there yourself.',
  args: [id, { name: 'FOLDER', required: false, help: 'in the sandbox (else /workspace)' }],
  flags: [{ name: 'for', value: 'TIME', help: 'end after so long, such as 10m' }],
  run: async (context) => {
    const query = { path: context.arg('FOLDER') || '/workspace', forMs: durationOf(context.text('for')) };
    const stream = await context.api.download(at('sandboxes', context.arg('ID'), 'files', 'watch'), { query });
    let last = '';
    for await (const text of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
      const line = JSON.parse(text) as Line;
      last = line.kind;
      print(context, line);
    }
    if (last === 'ended') return undefined;
    throw new AppError('unavailable', 'The connection was lost while watching.', {
      details: { hint: 'Is the control plane running? See "fumehood status"; then watch again.' },
    });
  },
});

function print(context: Context, line: Line): void {
  const { time, kind, path } = line;
  if (kind === 'alive' || (kind === 'ended' && !context.out.json)) return;
  if (kind === 'ready' && !context.out.json) {
    context.out.note(`watching ${cell(path)}; Ctrl-C ends`);
    return;
  }
  const text = context.out.plain
    ? `${time}\t${kind}\t${cell(path)}`
    : `${new Date(time).toLocaleTimeString()}  ${SYMBOLS[kind] ?? ' '} ${kind.padEnd(KIND_WIDTH)}  ${cell(path)}`;
  context.out.text(text, line);
}
