/** Signed checkpoints: C2SP signed notes (c2sp.org/signed-note) that carry a tree's size and root (c2sp.org/tlog-checkpoint). */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';

export type Checkpoint = { origin: string; size: number; root: Buffer };

export type Signer = {
  name: string /** The verifier key, one line of text. */;
  publicKey: string;
  sign(checkpoint: Omit<Checkpoint, 'origin'>): string;
  /** Signs another text than a checkpoint; its first line says what it is, and must not be the log's name. Lines end with a line feed. */
  signNote(text: string): string;
};

const ED25519 = 1;
/** DER around the 32 bytes of an Ed25519 public key (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

const keyHash = (name: string, publicKey: Buffer): Buffer =>
  createHash('sha256')
    .update(`${name}\n`)
    .update(Buffer.from([ED25519]))
    .update(publicKey)
    .digest()
    .subarray(0, 4);

const rawPublicKey = (key: KeyObject): Buffer =>
  (key.export({ type: 'spki', format: 'der' }) as Buffer).subarray(SPKI_PREFIX.length);

/** A signer under `name` (the log's origin) for an Ed25519 private key in PEM. */
export function createSigner(name: string, privateKeyPem: string): Signer {
  const privateKey = createPrivateKey(privateKeyPem);
  const publicKey = rawPublicKey(createPublicKey(privateKey));
  const hash = keyHash(name, publicKey);
  const signed = (text: string): string => {
    const signature = Buffer.concat([hash, sign(null, Buffer.from(text), privateKey)]);
    return `${text}\n\u2014 ${name} ${signature.toString('base64')}\n`;
  };
  return {
    name,
    publicKey: `${name}+${hash.toString('hex')}+${Buffer.concat([Buffer.from([ED25519]), publicKey]).toString('base64')}`,
    sign: ({ size, root }) => signed(`${name}\n${size}\n${root.toString('base64')}\n`),
    signNote: (text) => {
      if (text.startsWith(`${name}\n`) || !/^[^\x00-\x09\x0b-\x1f]+\n$/.test(text) || text.includes('\n\n'))
        throw new TypeError('this text cannot be signed as a note of the log');
      return signed(text);
    },
  };
}

/** Why a note is not what it says, in words. */
export class CheckpointError extends Error {}

/** The text of a note, once its signature by the verifier key is checked. Throws CheckpointError. */
export function openNote(note: string, publicKey: string | VerifierKey): string {
  const { name, key, hash } = typeof publicKey === 'string' ? parseVerifierKey(publicKey) : publicKey;
  const { text, rest } = splitNote(note);
  const isSigned = signatures(rest).some(
    (one) => one.name === name && one.hash.equals(hash) && verify(null, Buffer.from(text), key, one.signature),
  );
  if (!isSigned) throw new CheckpointError("it does not carry this key's signature");
  return text;
}

function splitNote(note: string): { text: string; rest: string } {
  const end = note.indexOf('\n\n');
  if (end < 0) throw new CheckpointError('it is not a signed note');
  return { text: note.slice(0, end + 1), rest: note.slice(end + 2) };
}

/** The checkpoint in a note, once its signature by the verifier key is checked. Throws CheckpointError. */
export function openCheckpoint(note: string, publicKey: string | VerifierKey): Checkpoint {
  const verifier = typeof publicKey === 'string' ? parseVerifierKey(publicKey) : publicKey;
  const { name } = verifier;
  const [origin, size, root] = splitNote(note).text.split('\n');
  if (origin !== name) throw new CheckpointError(`the checkpoint is of "${origin}", the key of "${name}"`);
  try {
    openNote(note, verifier);
  } catch (error) {
    throw error instanceof CheckpointError ? new CheckpointError(`the checkpoint: ${error.message}`) : error;
  }
  if (size === undefined || root === undefined || !/^(0|[1-9][0-9]{0,15})$/.test(size))
    throw new CheckpointError('the checkpoint names no size');
  const rootBytes = Buffer.from(root, 'base64');
  if (rootBytes.length !== 32) throw new CheckpointError('the checkpoint names no root');
  return { origin, size: Number(size), root: rootBytes };
}

/** A verifier key, parsed: for whoever opens many notes. Throws CheckpointError. */
export type VerifierKey = { name: string; hash: Buffer; key: KeyObject };

export function parseVerifierKey(text: string): VerifierKey {
  const match = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text.trim());
  const bytes = Buffer.from(match?.[3] ?? '', 'base64');
  if (match?.[1] === undefined || match[2] === undefined || bytes.length !== 33 || bytes[0] !== ED25519) {
    throw new CheckpointError('the public key is not a verifier key (NAME+HASH+KEY)');
  }
  const hash = Buffer.from(match[2], 'hex');
  if (!keyHash(match[1], bytes.subarray(1)).equals(hash))
    throw new CheckpointError('the hash in the public key does not fit its key');
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, bytes.subarray(1)]), format: 'der', type: 'spki' });
  return { name: match[1], hash, key };
}

function signatures(text: string): { name: string; hash: Buffer; signature: Buffer }[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\u2014 (\S+) (\S+)$/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined) return [];
    const bytes = Buffer.from(match[2], 'base64');
    // One signature has one spelling.
    if (bytes.toString('base64') !== match[2]) return [];
    return [{ name: match[1], hash: bytes.subarray(0, 4), signature: bytes.subarray(4) }];
  });
}
