import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import { at, createApi } from '../api-client.ts';
import type { Command } from '../command.ts';
import { findConnection, loginFile } from '../connection.ts';

/** `fumehood login`. */
export const login: readonly Command[] = [
  {
    verb: '',
    summary: 'Keep the address and token of a control plane in a file that only you can read',
    example: 'printf %s "$TOKEN" | fumehood login https://fumehood.example:3863',
    details: 'The token is asked for, or read from stdin.',
    args: [
      { name: 'URL', required: false, help: 'such as https://fumehood.example:3863; the local one when left out' },
    ],
    run: async (context) => {
      const url = (context.arg('URL') || findConnection(context.home, context.env).url).replace(/\/+$/, '');
      if (!/^https?:\/\/[^/]+$/.test(url))
        throw new AppError('invalid', `"${url}" is not an address such as https://host:3863.`);
      const token = (await context.secret('Token')).trim();
      if (token === '') throw new AppError('invalid', 'The token is empty.');
      const who = await createApi(() => ({ url, token })).send('GET', at('whoami'));
      const file = loginFile(context.env);
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      rmSync(file, { force: true });
      writeFileSync(file, JSON.stringify({ url, token }), { mode: 0o600 });
      context.out.item({ url, ...who });
      return undefined;
    },
  },
];

/** `fumehood logout`. */
export const logout: readonly Command[] = [
  {
    verb: '',
    summary: 'Forget the address and token that login kept',
    example: 'fumehood logout',
    run: async (context) => {
      rmSync(loginFile(context.env), { force: true });
      context.out.text('forgotten', { loggedIn: false });
      return undefined;
    },
  },
];
