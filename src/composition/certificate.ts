/** The certificate of the API's listener: read from its files, looked at before it is used, and read anew when they change. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { AppError } from '#kernel/errors.ts';
import type { Log } from '#kernel/log.ts';

export type CertificateFiles = {
  cert: string;
  key: string;
  /** The name below which sandboxes are opened, if there is one. */
  appsDomain: string | undefined;
};
export type Certificate = { cert: Buffer; key: Buffer };

const LOOK_EVERY_MS = 5000;

/** Reads both files. Throws `invalid` with what is wrong when no client could trust them. */
export function readCertificate(files: CertificateFiles, nowMs: number): Certificate {
  const cert = read('tls.cert', files.cert);
  const key = read('tls.key', files.key);
  const x509 = parsed('tls.cert', files.cert, () => new X509Certificate(cert));
  const privateKey = parsed('tls.key', files.key, () => createPrivateKey(key));
  if (!x509.checkPrivateKey(privateKey))
    throw wrong(
      'tls.key',
      `The key in "${files.key}" is not that of the certificate in "${files.cert}".`,
      'Give the pair that was issued together.',
    );
  if (x509.validToDate.getTime() <= nowMs)
    throw wrong(
      'tls.cert',
      `The certificate in "${files.cert}" ended at ${x509.validToDate.toISOString()}.`,
      'Renew it.',
    );
  const { appsDomain } = files;
  if (appsDomain !== undefined && x509.checkHost(`sandbox.${appsDomain}`) === undefined)
    throw wrong(
      'apps.domain',
      `The certificate in "${files.cert}" is not good for *.${appsDomain}, below which sandboxes are opened.`,
      `Have it issued for *.${appsDomain} too (it names: ${(x509.subjectAltName ?? 'nothing').slice(0, 300)}), or change apps.domain.`,
    );
  parsed('tls.cert', files.cert, () => createSecureContext({ cert, key }));
  return { cert, key };
}

/**
 * Hands each renewed pair to `use`. One that is not good, half of one included, is told in the log and not used: what was served goes on.
 * Gives what ends it.
 */
export function watchCertificate(
  files: CertificateFiles,
  deps: { nowMs: () => number; log: Log; use: (renewed: Certificate) => void },
): () => void {
  const look = (): void => {
    try {
      deps.use(readCertificate(files, deps.nowMs()));
      deps.log('info', 'the certificate was read anew', { file: files.cert });
    } catch (error) {
      deps.log('warn', 'the changed certificate is not used', { error });
    }
  };
  const paths = [files.cert, files.key];
  for (const path of paths) watchFile(path, { interval: LOOK_EVERY_MS, persistent: false }, look);
  return () => {
    for (const path of paths) unwatchFile(path, look);
  };
}

function read(field: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw wrong(
      field,
      `"${path}" cannot be read (${code}).`,
      `Set ${field} to a PEM file that the control plane may read.`,
    );
  }
}

function parsed<T>(field: string, path: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw wrong(field, `"${path}" is no PEM that can be used (${why}).`, `Set ${field} to the PEM file itself.`);
  }
}

const wrong = (field: string, message: string, hint: string): AppError =>
  new AppError('invalid', message, { details: { field, hint } });
