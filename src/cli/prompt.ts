import { AppError } from '#kernel/errors.ts';

type Asking = { stdin: NodeJS.ReadStream; stderr: NodeJS.WriteStream; yes: boolean; noInput: boolean };

/** Asks yes or no on the terminal; without one, or with `--no-input`, only `--yes` goes on. */
export async function confirm(question: string, asking: Asking): Promise<void> {
  if (asking.yes) return;
  if (asking.noInput || asking.stdin.isTTY !== true)
    throw new AppError('invalid', `${question} Nobody can be asked here.`, {
      details: { hint: 'Add --yes to go on, or --dry-run to see what would be done.' },
    });
  const { createInterface } = await import('node:readline/promises');
  const reader = createInterface({ input: asking.stdin, output: asking.stderr });
  const answer = await reader.question(`${question} [y/N] `);
  reader.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new AppError('conflict', 'Nothing was done: the answer was no.');
}

/** A secret: a prompt that does not show what is typed, or all of stdin when that is no terminal (one last newline is dropped). */
export async function readSecret(prompt: string, asking: Asking): Promise<string> {
  const { stdin, stderr } = asking;
  if (stdin.isTTY !== true) {
    const chunks: Buffer[] = [];
    for await (const chunk of stdin) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks)
      .toString('utf8')
      .replace(/\r?\n$/, '');
  }
  if (asking.noInput) throw new AppError('invalid', `${prompt} is wanted, and --no-input forbids to ask.`);
  stderr.write(`${prompt}: `);
  stdin.setRawMode(true);
  try {
    return await typed(stdin);
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write('\n');
  }
}

function typed(stdin: NodeJS.ReadStream): Promise<string> {
  return new Promise((resolve) => {
    let secret = '';
    const onData = (bytes: Buffer): void => {
      for (const character of bytes.toString('utf8')) {
        if (character === '\x03') process.exit(130);
        if (character === '\r' || character === '\n' || character === '\x04') {
          stdin.off('data', onData);
          resolve(secret);
          return;
        }
        secret = character === '\x7f' || character === '\b' ? secret.slice(0, -1) : secret + character;
      }
    };
    stdin.on('data', onData);
    stdin.resume();
  });
}
