/** A certificate authority of a test's own, and what it issues. */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { havePackages } from '#src/cli/debian-package.ts';

export type Pair = { cert: string; key: string };

/** Makes an authority in a folder; `issue` gives a certificate for names such as `DNS:*.example.org` and its key, as files. */
export function makeAuthority(folder: string): {
  ca: string;
  issue: (names: string[], days?: [from: string, to: string]) => Pair;
} {
  const file = (name: string): string => join(folder, name);
  havePackages({
    packages: ['openssl'],
    find: () => spawnSync('openssl', ['version']).status === 0,
    need: 'The tests of certificates need openssl',
  });
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '2',
    '-subj',
    '/CN=Test authority',
  );
  writeFileSync(file('index.txt'), '');
  writeFileSync(
    file('ca.cnf'),
    '[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\npolicy=p\ncopy_extensions=copy\nunique_subject=no\n[p]\ncommonName=supplied\n',
  );
  return {
    ca: file('ca.pem'),
    issue: (names, [from, to] = ['20200101000000Z', '20991231000000Z']) => {
      const stem = `c-${randomBytes(4).toString('hex')}`;
      const subject = ['-subj', `/CN=${stem}`, '-addext', `subjectAltName=${names.join(',')}`];
      openssl('req', ...newKey, '-keyout', `${stem}.key`, '-out', `${stem}.csr`, ...subject);
      const signed = ['-cert', 'ca.pem', '-keyfile', 'ca.key', '-startdate', from, '-enddate', to];
      openssl('ca', '-batch', '-notext', '-config', 'ca.cnf', ...signed, '-in', `${stem}.csr`, '-out', `${stem}.pem`);
      return { cert: file(`${stem}.pem`), key: file(`${stem}.key`) };
    },
  };
}
