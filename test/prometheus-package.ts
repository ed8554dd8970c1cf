import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE } from './protocol/python-clients.ts';

export type PrometheusPrograms = { prometheus: string; promtool: string };

/** Debian's Prometheus: what is installed, else the package's programs, unpacked into the cache folder. Nothing of it is installed or started. */
export function prometheusPrograms(): PrometheusPrograms {
  const folder = join(CACHE, 'prometheus');
  const found = ['/usr/bin', join(folder, 'usr/bin')].find((bin) => existsSync(join(bin, 'promtool')));
  const bin = found ?? unpack(folder);
  return { prometheus: join(bin, 'prometheus'), promtool: join(bin, 'promtool') };
}

function unpack(folder: string): string {
  const unfinished = `${folder}.new`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  const download = (): void => {
    execFileSync('apt-get', ['download', 'prometheus'], { cwd: unfinished, stdio: 'pipe' });
  };
  try {
    download();
  } catch {
    execFileSync('apt-get', ['update'], { stdio: 'pipe' });
    download();
  }
  const [archive] = globSync('prometheus_*.deb', { cwd: unfinished });
  if (archive === undefined) throw new Error('apt-get downloaded no package');
  execFileSync('dpkg-deb', ['--extract', join(unfinished, archive), unfinished]);
  renameSync(unfinished, folder);
  return join(folder, 'usr/bin');
}
