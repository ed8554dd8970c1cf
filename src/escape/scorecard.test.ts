import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { CheckpointError, createSigner, openCheckpoint } from '#src/audit/checkpoint.ts';
import { verifyScorecard, writeScorecard } from './scorecard.ts';
import { ENDED, harmTo, judge } from './verdict.ts';

const keyPem = (): string =>
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const signer = createSigner('fumehood.local/test', keyPem());

const attackOf = (name: string) => ({
  family: 'mounts',
  name,
  attempts: 'mounts a file system of its own',
  outside: { outcome: 'succeeded', why: '' } as const,
  inside: { outcome: 'refused', why: 'EPERM' } as const,
  verdict: 'held' as const,
  reason: '',
});

const text = writeScorecard(
  {
    machine: {
      kernel: '6.18.0 #1 SMP',
      architecture: 'x64',
      driver: 'oci',
      runtime: 'runc',
      runtimeVersion: 'runc version 1.1.5',
      cgroupVersion: 2,
      fumehoodVersion: '0.0.0',
      time: '2026-01-01T00:00:00.000Z',
    },
    reportOnly: {
      smt: 'off',
      ksm: 'off',
      mitigations: { meltdown: 'Not affected' },
      timerResolutionNs: { promised: 1, seen: 40 },
    },
    attacks: [attackOf('mount-tmpfs'), attackOf('bind-mount')],
  },
  signer,
);

test('a scorecard is verified with nothing but its public key', () => {
  const { ok, findings, card } = verifyScorecard(text, signer.publicKey);
  assert.deepEqual(findings, []);
  assert.equal(ok, true);
  assert.equal(card?.attacks.length, 2);
});

test('every flipped byte is found, and what it was in is named', () => {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += 1) {
    const flipped = Buffer.from(bytes);
    flipped[at] = (flipped[at] ?? 0) ^ 1;
    const { ok, findings } = verifyScorecard(flipped.toString(), signer.publicKey);
    assert.equal(ok, false, `byte ${at} was flipped`);
    assert.match(findings[0] ?? '', /\S/);
  }
});

test('a changed part is named: an attack, the machine, what is only reported', () => {
  const changed = (from: string, to: string): string => {
    assert.ok(text.includes(from), from);
    return verifyScorecard(text.replace(from, to), signer.publicKey).findings.join('\n');
  };
  assert.match(changed('"name": "bind-mount"', '"name": "chroot"'), /^attack mounts\/chroot: /);
  assert.match(changed('"why": "EPERM"', '"why": "ENOSYS"'), /^attack mounts\/mount-tmpfs: /);
  assert.match(changed('runc version 1.1.5', 'runc version 1.2.0'), /^machine: /);
  assert.match(changed('Not affected', 'Vulnerable'), /^report only: /);
  assert.match(changed('"verdict": "held"', '"verdict": "holds"'), /attacks\.0\.verdict/);
});

test('an attack that was taken out or put in is found', () => {
  const card = JSON.parse(text) as { attacks: unknown[] };
  for (const attacks of [card.attacks.slice(1), [...card.attacks, attackOf('more')]])
    assert.equal(verifyScorecard(`${JSON.stringify({ ...card, attacks }, null, 2)}\n`, signer.publicKey).ok, false);
});

test('a scorecard that somebody else signed is not ours', () => {
  const other = createSigner('fumehood.local/test', keyPem());
  assert.match(verifyScorecard(text, other.publicKey).findings.join('\n'), /another key[\s\S]*signature/);
});

test('a signed scorecard cannot be taken for a checkpoint of the log, nor be made one', () => {
  const { note } = JSON.parse(text) as { note: string };
  assert.throws(() => openCheckpoint(note, signer.publicKey), CheckpointError);
  assert.throws(() => signer.signNote(`${signer.name}\n1\nAAAA\n`), TypeError);
  assert.throws(() => signer.signNote('fumehood-scorecard/1\n\n'), TypeError);
});

test('an attack holds only when its own wall stopped it and it works outside', () => {
  const attack = { refusedBy: ['EPERM'], mayLack: 'KVM' };
  const did = { outcome: 'succeeded', why: '' } as const;
  const by = (why: string) => ({ outcome: 'refused', why }) as const;
  assert.equal(judge(attack, by('EPERM'), did).verdict, 'held');
  assert.equal(judge(attack, did, did).verdict, 'BROKEN');
  assert.equal(judge(attack, did, by('ENOENT')).verdict, 'BROKEN');
  assert.match(judge(attack, by('ENOSYS'), did).reason, /not one of its walls/);
  assert.match(judge(attack, by('EPERM'), by('ENODEV')).reason, /lacks KVM/);
  assert.match(judge({ refusedBy: ['EPERM'] }, by('EPERM'), by('ENODEV')).reason, /does not even work outside/);
});

test('what a runtime does otherwise excuses an attack only from what it names, and never harm to others', () => {
  const attack = { refusedBy: ['EPERM'] };
  const did = { outcome: 'succeeded', why: '' } as const;
  const own = { reaches: 'its own kernel' };
  const ends = { ends: 'the sandbox as a whole' };
  assert.equal(judge(attack, did, did, own).reason, 'its own kernel');
  assert.equal(judge(attack, ENDED, did, ends).reason, 'the sandbox as a whole');
  for (const difference of [own, ends, undefined])
    assert.equal(judge(attack, harmTo('the neighbour'), did, difference).verdict, 'BROKEN');
  assert.equal(judge(attack, ENDED, did, own).verdict, 'BROKEN');
  assert.equal(judge(attack, did, did, ends).verdict, 'BROKEN');
});
