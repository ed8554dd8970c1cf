/** Debian's Prometheus, scraping a control plane each second with the configuration that is shipped. */
import { spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestControlPlane } from './control-plane.ts';
import { type PrometheusPrograms, prometheusPrograms } from './prometheus-package.ts';

const DEPLOY = join(import.meta.dirname, '../deploy');

export type Answer = {
  status: string;
  data: { result: { metric: Record<string, string>; value: [number, string] }[] };
};

export type ScrapingPrometheus = {
  url: string;
  programs: PrometheusPrograms;
  /** The token that it scrapes with. */
  token: string;
  query(expression: string): Promise<Answer>;
  /** How many series an expression gives; none while it does not answer. */
  series(expression: string): Promise<number>;
  close(): Promise<void>;
};

export async function startPrometheus(plane: TestControlPlane): Promise<ScrapingPrometheus> {
  const programs = prometheusPrograms();
  const scratch = mkdtempSync(join(tmpdir(), 'fumehood-prometheus-'));
  const { token } = await plane.json<{ token: string }>([
    'token',
    'create',
    '--scope',
    'metrics.read',
    '--until',
    '1h',
  ]);
  writeFileSync(join(scratch, 'fumehood.token'), token);
  copyFileSync(join(DEPLOY, 'prometheus/alerts.yaml'), join(scratch, 'alerts.yaml'));
  const config = readFileSync(join(DEPLOY, 'prometheus/prometheus.yaml'), 'utf8')
    .replace('127.0.0.1:3863', new URL(plane.url).host)
    .replaceAll('15s', '1s');
  writeFileSync(join(scratch, 'prometheus.yaml'), config);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(
    programs.prometheus,
    [
      `--config.file=${join(scratch, 'prometheus.yaml')}`,
      `--storage.tsdb.path=${join(scratch, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ],
    { stdio: 'ignore' },
  );
  const ended = new Promise((resolve) => child.once('close', resolve));
  const query = async (expression: string): Promise<Answer> => {
    const answer = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query: expression })}`);
    return (await answer.json()) as Answer;
  };
  return {
    url,
    programs,
    token,
    query,
    series: async (expression) => (await query(expression).catch(() => undefined))?.data.result.length ?? 0,
    close: async () => {
      child.kill('SIGKILL');
      await ended;
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
