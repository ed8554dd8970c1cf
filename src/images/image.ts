/** The noun: an image that was unpacked, known by the digest of its manifest. */
import { z } from 'zod';

export const ImageDigest = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/, 'the digest of an image, sha256:…; "fumehood image add" gives it');

/** What is kept beside the root. */
export const Image = z.object({
  digest: z.string(),
  name: z.string(),
  owner: z.string(),
  layers: z.number().int(),
  files: z.number().int(),
  sizeBytes: z.number().int(),
  /** The interpreter of the agent: an absolute path in the image. */
  python: z.string(),
  /** Variables for commands in a sandbox, never for anything that runs outside of it. */
  env: z.record(z.string(), z.string()),
  searchPath: z.array(z.string()),
  workingDir: z.string(),
  addedMs: z.number().int(),
});
export type Image = z.infer<typeof Image>;

export const ImageName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/,
    'letters, digits, dot, dash, underscore, colon and slash, at most 128',
  );

export const ImageView = z.object({
  digest: z.string(),
  name: z.string(),
  owner: z.string(),
  layers: z.number(),
  files: z.number(),
  sizeBytes: z.number(),
  python: z.string(),
  workingDir: z.string().nullable(),
  addedAt: z.string(),
});
export type ImageView = z.infer<typeof ImageView>;

export const viewImage = ({ digest, name, owner, layers, files, sizeBytes, python, ...rest }: Image): ImageView => ({
  digest,
  name,
  owner,
  layers,
  files,
  sizeBytes,
  python,
  workingDir: rest.workingDir === '' ? null : rest.workingDir,
  addedAt: new Date(rest.addedMs).toISOString(),
});

const MOST_VARIABLES = 256;
const LONGEST_VALUE = 32 * 1024;
const MOST_FOLDERS = 64;

/** The variables and the search path out of an image's `Env`; what no shell could set is left out, and so are names of Fumehood's own. */
export function variablesOf(env: readonly string[]): Pick<Image, 'env' | 'searchPath'> {
  const pairs = env.slice(0, MOST_VARIABLES).flatMap((text): [string, string][] => {
    const equals = text.indexOf('=');
    const [name, value] = [text.slice(0, equals), text.slice(equals + 1)];
    const fits = /^[A-Za-z_][A-Za-z0-9_]{0,255}$/.test(name) && !value.includes('\0') && value.length <= LONGEST_VALUE;
    return equals > 0 && fits && !/^FUMEHOOD/i.test(name) ? [[name, value]] : [];
  });
  const { PATH = '', ...others } = Object.fromEntries(pairs);
  const folders = PATH.split(':').filter((folder) => /^\/[^\0]{0,1023}$/.test(folder));
  return { env: others, searchPath: folders.slice(0, MOST_FOLDERS) };
}
