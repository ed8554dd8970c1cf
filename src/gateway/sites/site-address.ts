/** The addresses of sites: an origin of its own for every sandbox and port, and one for the pages of runs, all by Host name on one listener. */
import type { IncomingMessage } from 'node:http';
import { AppError } from '#kernel/errors.ts';

export type Site = {
  /** First label of the host: `<sandbox id>`, `<port>--<sandbox id>` or `runs`. */
  label: string;
  /** `scheme://host[:port]` as the browser shows it. */
  origin: string;
} & ({ kind: 'port'; sandboxId: string; port: number } | { kind: 'runs' });

export const RUNS_SITE = 'runs';
const PORT_LABEL = /^(?:([1-9]\d{0,4})--)?(sb-[0-9a-f]{32})$/;

export type SiteAddresses = {
  /** Whether a Host name is below the name of sites: then nothing but a site may answer. */
  claims(request: IncomingMessage): boolean;
  /** The site that a request is for. Throws `not_found` when there is none of that name. */
  siteOf(request: IncomingMessage): Site;
  /** Whether sites can be served at all. */
  served(): boolean;
  /** The origin of a site. Throws `capability_missing` when sites cannot be served. */
  originOf(label: string): string;
};

/**
 * `*.localhost` is loopback in every browser. With TLS a wildcard name is needed (`apps.domain`), for which the certificate must be good.
 * `url` is the API's own address, once it is known.
 */
export function createSiteAddresses(options: {
  domain: string | undefined;
  notebookPort: number;
  url: () => string;
}): SiteAddresses {
  const suffixes = ['.localhost', ...(options.domain === undefined ? [] : [`.${options.domain.toLowerCase()}`])];
  const nameOf = (request: IncomingMessage): string =>
    (request.headers.host ?? '').replace(/:\d+$/, '').replace(/\.$/, '').toLowerCase();
  const base = (): { scheme: string; suffix: string; port: string } => {
    const { protocol, port } = new URL(options.url());
    const tls = protocol === 'https:';
    if (tls && options.domain === undefined)
      throw new AppError(
        'capability_missing',
        'With TLS, sandboxes are opened under a wildcard name, and none is configured.',
        {
          details: {
            missing: 'apps.domain',
            hint: 'An operator sets apps.domain to a name such as sandboxes.example.org, with a certificate for *.sandboxes.example.org.',
          },
        },
      );
    return { scheme: tls ? 'https' : 'http', suffix: tls ? `.${options.domain}` : '.localhost', port };
  };
  const originOf = (label: string): string => {
    const { scheme, suffix, port } = base();
    return `${scheme}://${label}${suffix}${port === '' ? '' : `:${port}`}`;
  };
  return {
    claims: (request) => suffixes.some((suffix) => nameOf(request).endsWith(suffix)),
    served: () => options.domain !== undefined || new URL(options.url()).protocol === 'http:',
    originOf,
    siteOf: (request) => {
      const label = nameOf(request).split('.')[0] ?? '';
      const host = (request.headers.host ?? '').toLowerCase();
      const none = new AppError('not_found', 'There is nothing at this address.', {
        details: { hint: 'Open a sandbox with "fumehood sandbox open".' },
      });
      if (`${base().scheme}://${host}` !== originOf(label)) throw none;
      if (label === RUNS_SITE) return { kind: 'runs', label, origin: originOf(label) };
      const [, port, sandboxId] = PORT_LABEL.exec(label) ?? [];
      const number = port === undefined ? options.notebookPort : Number(port);
      // The notebook has one origin only: its port's number is no second name of it.
      if (sandboxId === undefined || number > 65_535 || port === String(options.notebookPort)) throw none;
      return { kind: 'port', label, origin: originOf(label), sandboxId, port: number };
    },
  };
}
