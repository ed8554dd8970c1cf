import { at } from '../api-client.ts';
import type { Argument, Command } from '../command.ts';

/** `get`: one thing by its id or name. */
export function getCommand(plural: string, argument: Argument, about: { summary: string; example: string }): Command {
  return {
    verb: 'get',
    ...about,
    args: [argument],
    run: async (context) => {
      context.out.item(await context.api.send('GET', at(plural, ...context.arg(argument.name).split('/'))));
      return undefined;
    },
  };
}
