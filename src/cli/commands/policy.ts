import { readFileSync } from 'node:fs';
import { AppError } from '#kernel/errors.ts';
import { at } from '../api-client.ts';
import { cell } from '../cell.ts';
import { body, type Command, type Context } from '../command.ts';
import { numberOf } from '../numbers.ts';
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

type Applied = { name: string; version: number; converted?: boolean; source?: string };

const offline: readonly Command[] = [
  {
    verb: 'check',
    summary: 'Check a policy: syntax, types, builtins, and what its tests cover; needs no server',
    example: 'fumehood policy check gpu-limit.rego',
    args: [file],
    run: async (context) => {
      const { checkPolicy } = await import('#src/policies/check-policy.ts');
      const checked = await checkPolicy(context.arg('FILE'));
      const { file: name, tests } = checked;
      const tested =
        tests === null ? 'no tests beside it' : `${tests.passed} tests passed, covering ${tests.coverage} %`;
      const text = `${name}: package ${checked.package}, decides by ${checked.rules.join(', ')}; ${tested}\n`;
      const converted = `in the syntax of Rego version 1 it reads:\n\n${checked.source}`;
      context.out.text(checked.converted ? `${text}${converted}` : text, checked);
      return undefined;
    },
  },
  {
    verb: 'test',
    summary: 'Run the tests of policies in a folder; needs no server',
    example: 'fumehood policy test ./policies',
    args: [{ name: 'DIR', help: 'a folder with *.rego and *_test.rego' }],
    run: async (context) => {
      const { testPolicies } = await import('#src/policies/check-policy.ts');
      const report = await testPolicies(context.arg('DIR'));
      context.out.text(`${report.passed} passed, ${report.failed} failed, covering ${report.coverage} %`, report);
      return undefined;
    },
  },
];

/** `fumehood policy`. */
export const policy: readonly Command[] = [
  ...offline,
  {
    verb: 'apply',
    summary: 'Put a policy in force for kinds of resources, from the next decision on',
    example: 'fumehood policy apply gpu-limit.rego --name gpu-limit --for gpu',
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
      const { source: _, ...told } = applied;
      context.out.item(context.out.json ? applied : told);
      context.out.next(`fumehood policy get ${applied.name}`);
      return undefined;
    },
  },
  {
    verb: 'list',
    summary: 'The policies in force',
    example: 'fumehood policy list',
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
    example: 'fumehood policy get gpu-limit',
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
    example: 'fumehood policy rollback gpu-limit --to 1',
    args: [name],
    flags: [{ name: 'to', value: 'VERSION', help: 'an older version than the one before' }],
    run: async (context) => {
      const request = body({ to: numberOf('to', context.text('to')) });
      context.out.item(
        await context.api.send('POST', at('policies', context.arg('NAME'), 'rollback'), { body: request }),
      );
      return undefined;
    },
  },
  {
    verb: 'delete',
    summary: 'Take a policy out of force',
    example: 'fumehood policy delete gpu-limit',
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
    example: 'fumehood policy explain dec-1a2b',
    args: [{ name: 'DECISION-ID', help: 'from a refusal, or from the audit log' }],
    run: async (context) => {
      const explained = await context.api.send<Explanation>(
        'GET',
        at('policies', 'decisions', context.arg('DECISION-ID'), 'explain'),
      );
      context.out.text(context.out.json ? '' : explainText(explained), explained);
      return undefined;
    },
  },
];

type Failed = { text?: string; location?: string; line?: number };
type Explanation = {
  summary: string[];
  questions: {
    action: string;
    resource: string;
    object: string;
    tag?: string;
    answers: { allowed: boolean; failed?: Failed[] }[];
  }[];
};

/** Words first; the inputs and bundles are in the JSON form. */
export function explainText({ summary, questions }: Explanation): string {
  const asked = questions.map((one) => {
    const allowed = one.answers.every((answer) => answer.allowed);
    const tag = one.tag === undefined ? '' : ` tagged ${cell(one.tag)}`;
    return `  ${allowed ? 'allowed' : 'denied '}  ${cell(one.action)} on ${cell(one.resource)} ${cell(one.object)}${tag}\n`;
  });
  return `${summary.map((line) => `${cell(line)}\n`).join('')}asked:\n${asked.join('')}`;
}
