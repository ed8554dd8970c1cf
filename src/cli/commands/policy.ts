import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import { at } from '../api-client.ts';
import type { Command, Context } from '../command.ts';
import { cell } from '../output.ts';
import { pageFlags, printList } from './paging.ts';

const name = { name: 'NAME', live: 'policy', help: 'name of a policy' } as const;
const file = { name: 'FILE', help: 'a file of Rego' } as const;

function readSource(context: Context): string {
  const path = context.arg('FILE');
  try {
    return path === '-' ? readFileSync(0, 'utf8') : readFileSync(path, 'utf8');
  } catch (error) {
    throw new AppError('invalid', `"${path}" cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

type Applied = { name: string; version: number; converted?: boolean };

const offline: readonly Command[] = [
  {
    verb: 'check',
    summary: 'Check a policy: syntax, types, builtins, and what its tests cover; needs no server',
    args: [file],
    run: async (context) => {
      const { checkPolicy } = await import('../check-policy.ts');
      const path = context.arg('FILE');
      const checked = await checkPolicy(readSource(context), path, context.env);
      if (checked.converted) context.out.note('it is in the older syntax; the converted text is what runs');
      const coverage = checked.coverage === null ? 'no tests beside it' : `tests cover ${checked.coverage} %`;
      const text = `${basename(path)}: package ${checked.package}, decides by ${checked.rules.join(', ')}, ${coverage}\n`;
      context.out.text(checked.converted ? `${text}\n${checked.source}` : text, checked);
      return undefined;
    },
  },
  {
    verb: 'test',
    summary: 'Run the tests of policies in a folder; needs no server',
    args: [{ name: 'DIR', help: 'a folder with *.rego and *_test.rego' }],
    run: async (context) => {
      const { testPolicies } = await import('../check-policy.ts');
      const result = await testPolicies(context.arg('DIR'), context.env);
      for (const one of result.failures) context.out.note(`failed: ${one}`);
      context.out.text(`${result.passed} passed, ${result.failed} failed`, result);
      return result.failed === 0 && result.passed > 0 ? 0 : 1;
    },
  },
];

/** `fumehood policy`. */
export const policy: readonly Command[] = [
  ...offline,
  {
    verb: 'apply',
    summary: 'Put a policy in force for kinds of resources, from the next decision on',
    args: [file],
    flags: [
      { name: 'name', value: 'NAME', required: true, help: 'its name' },
      { name: 'for', value: 'KINDS', required: true, help: 'the kinds of resource that it decides, such as gpu,data' },
    ],
    run: async (context) => {
      const kinds = (context.text('for') ?? '').split(',').filter(Boolean);
      const request = { name: context.text('name'), for: kinds, source: readSource(context) };
      const applied = await context.api.send<Applied>('POST', at('policies'), { body: request });
      if (applied.converted === true) context.out.note('it was in the older syntax and runs converted');
      context.out.item(applied);
      return undefined;
    },
  },
  {
    verb: 'list',
    summary: 'The policies in force',
    flags: pageFlags,
    run: (context) =>
      printList(context, at('policies'), {}, [
        ['NAME', 'name'],
        ['VERSION', 'version'],
        ['FOR', (item) => item.for ?? item.kinds],
        ['APPLIED', 'appliedAt'],
        ['BY', 'appliedBy'],
        ['DIGEST', 'digest'],
      ]),
  },
  {
    verb: 'get',
    summary: 'One policy with its source',
    args: [name],
    run: async (context) => {
      const found = await context.api.send<{ source?: string }>('GET', at('policies', context.arg('NAME')));
      const { source, ...rest } = found;
      context.out.item(context.out.json ? found : rest);
      if (!context.out.json && source !== undefined) context.out.data(`\n${source}\n`);
      return undefined;
    },
  },
  {
    verb: 'rollback',
    summary: 'Put the version before in force again',
    args: [name],
    run: async (context) => {
      context.out.item(await context.api.send('POST', at('policies', context.arg('NAME'), 'rollback')));
      return undefined;
    },
  },
  {
    verb: 'delete',
    summary: 'Take a policy out of force',
    args: [name],
    run: async (context) => {
      await context.confirm(`Take the policy "${context.arg('NAME')}" out of force?`);
      context.out.item(await context.api.send('DELETE', at('policies', context.arg('NAME'))));
      return undefined;
    },
  },
  {
    verb: 'explain',
    summary: 'Evaluate a decision again and show which conditions failed',
    args: [{ name: 'DECISION-ID', help: 'from a refusal, or from the audit log' }],
    run: async (context) => {
      const explained = await context.api.send('GET', at('decisions', context.arg('DECISION-ID'), 'explanation'));
      context.out.text(context.out.json ? '' : explainText(explained), explained);
      return undefined;
    },
  },
];

/** Words first, then whatever else the explanation holds, as an indented outline. */
export function explainText(value: unknown, indent = ''): string {
  if (Array.isArray(value)) return value.map((one) => outline('-', one, indent)).join('');
  if (typeof value !== 'object' || value === null) return `${indent}${cell(value)}\n`;
  const { summary, ...rest } = value as Record<string, unknown>;
  const head = typeof summary === 'string' ? `${indent}${summary}\n` : '';
  return (
    head +
    Object.entries(rest)
      .map(([key, one]) => outline(`${key}:`, one, indent))
      .join('')
  );
}

function outline(head: string, value: unknown, indent: string): string {
  if (typeof value === 'string' && value.includes('\n'))
    return `${indent}${head}\n${value
      .split('\n')
      .map((line) => `${indent}  ${cell(line) === '-' ? '' : cell(line)}\n`)
      .join('')}`;
  if (typeof value !== 'object' || value === null) return `${indent}${head} ${cell(value)}\n`;
  return `${indent}${head}\n${explainText(value, `${indent}  `)}`;
}
