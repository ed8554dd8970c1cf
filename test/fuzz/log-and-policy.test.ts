import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe } from 'node:test';
import fc from 'fast-check';
import { canonicalJson } from '#kernel/canonical-json.ts';
import { keyOfText, keyText, readAttestations } from '#src/audit/attestation.ts';
import { CheckpointError, createSigner, openCheckpoint } from '#src/audit/checkpoint.ts';
import { decodeBundle, encodeBundle } from '#src/audit/tiles.ts';
import { readDefaultBundle } from '#src/policies/default-bundle.ts';
import { loadBundle } from '#src/policies/load-bundle.ts';
import { hostileText, target } from './target.ts';

const privateKey = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
const signer = createSigner('fumehood.local/fuzz', privateKey);

describe('fuzzing of the log and of policies', async () => {
  target(
    'a bundle of entries is what was written, or is told to be none',
    fc.tuple(
      fc.array(fc.string({ unit: 'grapheme', maxLength: 50 }), { maxLength: 10 }),
      fc.uint8Array({ maxLength: 60 }),
    ),
    ([entries, bytes]) => {
      const read = decodeBundle(encodeBundle(entries))?.map((entry) => entry.toString());
      assert.deepEqual(
        read,
        entries.map((entry) => Buffer.from(entry).toString()),
      );
      const found = decodeBundle(Buffer.from(bytes));
      if (found !== undefined)
        assert.equal(
          found.reduce((sum, entry) => sum + entry.length + 2, 0),
          bytes.length,
        );
    },
  );

  target(
    'a checkpoint with one changed byte is refused',
    fc.tuple(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 127 })),
    ([size, at, change]) => {
      const note = Buffer.from(signer.sign({ size, root: Buffer.alloc(32, size % 256) }));
      assert.equal(openCheckpoint(note.toString(), signer.publicKey).size, size);
      const place = at % note.length;
      note.writeUInt8(note.readUInt8(place) ^ change, place);
      try {
        // Base64 has several spellings of its last character: then the signature is the same one.
        assert.equal(openCheckpoint(note.toString('latin1'), signer.publicKey).size, size);
      } catch (error) {
        assert.ok(error instanceof CheckpointError, String(error));
      }
    },
    { share: 0.02 },
  );

  target(
    'any text as a checkpoint or a key is refused in words',
    fc.tuple(
      hostileText('fumehood.local/fuzz', '\n', '5', '\u2014 ', 'AAAA', '+', '='),
      hostileText('a+', '00000000', '+', 'AQ=='),
    ),
    ([note, key]) => {
      for (const [text, publicKey] of [
        [note, signer.publicKey],
        [note, key],
      ] as const)
        assert.throws(() => openCheckpoint(text, publicKey), CheckpointError);
    },
  );

  target('canonical JSON is JSON of the same value, and the same for every order of keys', fc.jsonValue(), (value) => {
    const text = canonicalJson(value);
    assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
    assert.equal(canonicalJson(JSON.parse(text)), text);
  });

  target(
    'what an entry attests of a row is read as it was written',
    fc.tuple(
      fc.array(fc.oneof(fc.string({ unit: 'grapheme', maxLength: 20 }), fc.nat()), { minLength: 1, maxLength: 3 }),
      fc.dictionary(hostileText('row:', 'object', ':', '["a"]'), fc.oneof(fc.string(), fc.nat(), fc.constant(null))),
    ),
    ([key, details]) => {
      assert.deepEqual(keyOfText(keyText(key)), key);
      readAttestations(details, { actor: 'erin', object: undefined });
    },
  );

  const bundle = await loadBundle(readDefaultBundle());
  target(
    'the default policy answers every input, and never allows what it cannot read',
    fc.oneof(fc.json(), hostileText('{', '}', '"action"', ':', '"sandbox.create"', ',', '[')),
    (text) => {
      const verdict = bundle.evaluate(Buffer.from(text));
      assert.equal(verdict.allowed, false);
      assert.ok(verdict.reasons.length > 0);
    },
    { quick: 200, share: 0.005 },
  );
});
