/** The kinds of load under which the event loop is measured, each with what it needs before. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestControlPlane } from '../../test/control-plane.ts';
import { ask, visit } from '../../test/port-visitor.ts';
import { create, createMany, remove } from '../cases/sandbox-api.ts';
import { execIn } from '../exec-client.ts';
import { addDataset } from './add-dataset.ts';
import { atOnce, type StallApi, stallApi } from './api.ts';
import { imageTar } from './image-tar.ts';
import { s3Loads } from './s3-loads.ts';
import { trackingLoads } from './tracking-loads.ts';

/** A control plane with many sandboxes, runs and entries: `root` names what has many ancestors. */
export type StallHome = {
  url: string;
  token: string;
  /** The token of an officer. */
  officer: string;
  doors: Record<string, string>;
  experimentId: string;
  root: string;
  run: TestControlPlane['run'];
};
export type StallLoad = { what: string; prepare?: () => Promise<void>; run: () => Promise<unknown> };

const AT_ONCE = 50;
const FLOOD_BYTES = 100_000_000;
const IDLE_MS = 8000;
const SCRAPES = 20;

export function stallLoads(home: StallHome, folder: string): StallLoad[] {
  const api = stallApi(home);
  const officer = stallApi({ url: home.url, token: home.officer });
  return [
    { what: 'nothing but the periodic jobs', run: () => sleep(IDLE_MS) },
    ...trackingLoads(home),
    ...s3Loads(home),
    ...sandboxLoads(home),
    ...dataLoads(home, api, folder),
    ...auditLoads(officer),
    ...lineageLoads(home, officer),
    ...pageLoads(api),
    ...policyLoads(home, officer),
  ];
}

function sandboxLoads(home: StallHome): StallLoad[] {
  let flooded = '';
  return [
    {
      what: `${AT_ONCE} sandboxes created at once and removed at once`,
      run: async () => {
        const ids = await Promise.all(Array.from({ length: AT_ONCE }, () => create(home)));
        await Promise.all(ids.map((id) => remove(home, id)));
      },
    },
    {
      what: `a command that prints ${FLOOD_BYTES / 1e6} MB`,
      prepare: async () => {
        [flooded = ''] = await createMany(home, 1);
      },
      run: () => execIn(home, flooded, 'exec', { argv: ['/bin/sh', '-c', `yes | head -c ${FLOOD_BYTES}`] }),
    },
  ];
}

function dataLoads(home: StallHome, api: StallApi, folder: string): StallLoad[] {
  let image: Buffer = Buffer.alloc(0);
  return [
    {
      what: 'an image of 8,000 files and 100 MB added',
      prepare: async () => {
        image = imageTar();
      },
      run: async () => {
        await api.send('PUT', 'images?name=many', image);
        image = Buffer.alloc(0);
      },
    },
    { what: 'a data set of 10,000 files and 200 MB added', run: () => addDataset(api, 'many') },
    {
      what: 'a sandbox that mounts it',
      run: async () => remove(home, await create(home, { mounts: ['many'] })),
    },
    {
      what: 'its files listed, and it is removed',
      run: async () => {
        await api.get('datasets/many/versions/1/files');
        await api.send('DELETE', 'datasets/many/versions/1');
      },
    },
    {
      what: 'a backup made',
      run: async () => {
        const done = await home.run(['backup', 'create', `${folder}/backup.tar`, '--without-keys', '--json']);
        if (done.code !== 0) throw new Error(done.stderr);
      },
    },
  ];
}

function auditLoads(api: StallApi): StallLoad[] {
  const lists = [
    '',
    '&user=erin',
    '&user=nobody',
    '&action=run.log',
    '&object=run:none',
    '&outcome=failed',
    '&requestId=none',
  ];
  return [
    {
      what: 'the audit log listed in 7 ways',
      run: async () => {
        for (const query of lists) await api.get(`audit?limit=1000${query}`);
      },
    },
    { what: 'the audit log exported', run: () => api.get('audit/export') },
    { what: 'the audit log verified', run: () => api.send('POST', 'audit/verify', '{}') },
  ];
}

const lineageLoads = (home: StallHome, api: StallApi): StallLoad[] => [
  {
    what: 'lineage of 4,500 ancestors, also as OpenLineage',
    run: async () => {
      await api.get(`lineage?node=${home.root}`);
      await api.get(`lineage/openlineage?node=${home.root}`);
    },
  },
];

function pageLoads(api: StallApi): StallLoad[] {
  const runId = '0'.repeat(32);
  return [
    {
      what: 'the page of a run, 20 times',
      run: async () => {
        const { url } = JSON.parse(await api.send('POST', `runs/${runId}/open`, '{}')) as { url: string };
        const { origin, cookie } = await visit(url);
        for (let at = 0; at < SCRAPES; at += 1) {
          const { status } = await ask(`${origin}/${runId}`, { headers: { cookie } });
          if (status !== 200) throw new Error(`the page of a run answered ${status}`);
        }
      },
    },
    {
      what: `metrics, status, statistics and lists of sandboxes, ${SCRAPES} times`,
      run: () =>
        atOnce(2, SCRAPES, async () => {
          await api.absolute('metrics');
          for (const path of ['status', 'sandbox-stats', 'sandboxes?limit=1000', 'runs?limit=1000'])
            await api.get(path);
        }),
    },
  ];
}

function policyLoads(home: StallHome, api: StallApi): StallLoad[] {
  const rules = Array.from({ length: 1000 }, (_, at) => `deny contains "no" if input.subject.user == "user-${at}"`);
  const policy = { name: 'many', for: ['run'], source: `package many\nimport rego.v1\n${rules.join('\n')}\n` };
  const [get] = trackingLoads(home);
  return [
    { what: 'a policy of 1,000 rules applied', run: () => api.send('POST', 'policies', JSON.stringify(policy)) },
    { what: `${get?.what}, with that policy in force`, run: async () => get?.run() },
  ];
}
