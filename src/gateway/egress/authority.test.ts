import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { forbiddenReason, formatAddress, parseAddress, parseIpv4 } from './address.ts';
import { authorityOf, parseAuthority, parseHost } from './authority.ts';

const reasonOf = (host: string): string | undefined => {
  const { address } = parseHost(host);
  assert.ok(address, `${host} is read as an address`);
  return forbiddenReason(address);
};

const LOOPBACK = [
  '127.0.0.1', '127.1', '127.0.1', '2130706433', '0x7f000001', '0X7F.1', '0177.0.0.1', '017700000001', '0x7f.0.0.1',
  '127.0.0.1.', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[0:0:0:0:0:ffff:127.0.0.1]', '[64:ff9b::127.0.0.1]', '[64:ff9b::7f00:1]',
  '127.255.255.254', '[::1]', '[0:0:0:0:0:0:0:1]', '[0000:0000:0000:0000:0000:0000:0000:0001]',
]; // biome-ignore format: one notation after the other

for (const host of LOOPBACK) {
  test(`loopback is recognised when it is written ${host}`, () => assert.equal(reasonOf(host), 'loopback'));
}

const FORBIDDEN: [string, string][] = [
  ['10.0.0.1', 'private'],
  ['0xa000001', 'private'],
  ['012.1', 'private'],
  ['172.16.0.1', 'private'],
  ['172.31.255.255', 'private'],
  ['192.168.1.1', 'private'],
  ['100.64.0.1', 'private'],
  ['100.100.100.200', 'private'],
  ['169.254.169.254', 'link-local'],
  ['0xa9fea9fe', 'link-local'],
  ['2852039166', 'link-local'],
  ['0251.0376.0251.0376', 'link-local'],
  ['[::ffff:a9fe:a9fe]', 'link-local'],
  ['168.63.129.16', 'metadata'],
  ['192.0.0.192', 'reserved'],
  ['0.0.0.0', 'reserved'],
  ['0', 'reserved'],
  ['224.0.0.1', 'multicast'],
  ['255.255.255.255', 'reserved'],
  ['4294967295', 'reserved'],
  ['198.18.0.1', 'reserved'],
  ['[::]', 'reserved'],
  ['[::127.0.0.1]', 'reserved'],
  ['[fe80::1]', 'link-local'],
  ['[febf::1]', 'link-local'],
  ['[fec0::1]', 'reserved'],
  ['[fc00::1]', 'private'],
  ['[fd00:ec2::254]', 'private'],
  ['[ff02::1]', 'multicast'],
  ['[2002:7f00:1::]', 'reserved'],
  ['[2001:0:7f00:1::]', 'reserved'],
  ['[2001:db8::1]', 'reserved'],
  ['[64:ff9b::a00:1]', 'private'],
  ['[64:ff9b::169.254.169.254]', 'link-local'],
  ['[64:ff9b:1::1]', 'reserved'],
  ['[::ffff:0:127.0.0.1]', 'reserved'],
  ['[5f00::1]', 'reserved'],
];

for (const [host, reason] of FORBIDDEN) {
  test(`${host} is ${reason}`, () => assert.equal(reasonOf(host), reason));
}

for (const host of [
  '1.1.1.1',
  '8.8.8.8',
  '172.32.0.1',
  '[2606:4700::1111]',
  '[::ffff:8.8.8.8]',
  '[64:ff9b::808:808]',
  '134744072',
]) {
  test(`${host} is the public internet`, () => assert.equal(reasonOf(host), undefined));
}

const REFUSED = [
  '', ':80', 'a', 'a:', 'a:0', 'a:65536', 'a:-1', 'a:80:80', 'a:8 0', 'user@a:80', 'user:pw@a:80', 'a\0b:80', 'a\r\nHost: b:80', 'a b:80',
  'a/b:80', 'a?b:80', 'a#b:80', 'a\\b:80', 'bücher.example:80', 'ⅼocalhost:80', '１２７.0.0.1:80', 'a%2eb:80', 'a..b:80', '.a:80', '-a.b:80', 'a-:80',
  '[::1:80', '::1:80', '[::1%25eth0]:80', '[fe80::1%eth0]:80', '[::1]x:80', '[1.2.3.4]:80', '[:::1]:80', '[1::2::3]:80', '[12345::]:80', '[::ffff:127.0.0.256]:80',
  '256.1.1.1:80', '1.2.3.4.5:80', '1.2.3.08:80', '0x:80', '1.0x100:80x', 'a.0x7f:80', 'foo.123:80', '4294967296:80', '127.0.0.1..:80', `${'a'.repeat(64)}.b:80`,
  `${'a.'.repeat(127)}aa:80`, '*:80', '*.example.org:80', 'a,b:80', "a';--:80", 'http://a:80',
]; // biome-ignore format: one attack after the other

for (const text of REFUSED) {
  test(`${JSON.stringify(text.slice(0, 60))} is refused`, () => {
    assert.throws(() => parseAuthority(text), { code: 'invalid' });
  });
}

test('a name has one form: lower case, no dot at the end', () => {
  assert.deepEqual(parseAuthority('PyPI.Org.:443'), { host: 'pypi.org', port: 443, address: undefined });
  assert.equal(parseHost('xn--bcher-kva.example').host, 'xn--bcher-kva.example');
  assert.equal(authorityOf(parseAuthority('[2606:4700::1111]:443')), '[2606:4700:0:0:0:0:0:1111]:443');
});

test('every notation of an IPv4 address is the same address', () => {
  const notations = (value: number): string[] => {
    const bytes = [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256);
    const [a = 0, b = 0, c = 0, d = 0] = bytes;
    const octal = (byte: number): string => (byte === 0 ? '0' : `0${byte.toString(8)}`);
    return [
      bytes.join('.'),
      String(value),
      `0x${value.toString(16)}`,
      octal(value),
      bytes.map(octal).join('.'),
      bytes.map((byte) => `0x${byte.toString(16)}`).join('.'),
      `${a}.${b}.${c * 256 + d}`,
      `${a}.${value % 2 ** 24}`,
      `[::ffff:${bytes.join('.')}]`,
    ];
  };
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (value) => {
      const hosts = new Set(notations(value).map((text) => parseHost(text).host));
      assert.equal(hosts.size, 1);
      const reasons = new Set(notations(value).map(reasonOf));
      assert.equal(reasons.size, 1);
    }),
  );
});

test('what is read as a number agrees with the URL standard', () => {
  const Part = fc.oneof(
    fc.nat(300).map(String),
    fc.nat(300).map((n) => `0x${n.toString(16)}`),
    fc.nat(300).map((n) => `0${n.toString(8)}`),
    fc.constantFrom('', '08', '0x', 'x'),
  );
  fc.assert(
    fc.property(fc.array(Part, { minLength: 1, maxLength: 5 }), (parts) => {
      const text = parts.join('.');
      const mine = parseIpv4(text);
      if (mine === undefined || mine === 'invalid') return;
      assert.equal(new URL(`http://${text}/`).hostname, formatAddress(mine));
    }),
    { numRuns: 500 },
  );
});

test('no text at all makes the parser do anything but answer or refuse, and an answer is stable', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.ipV6(), fc.ipV4(), fc.domain(), fc.webAuthority()), (text) => {
      try {
        const { host } = parseHost(text);
        assert.equal(parseHost(host.includes(':') ? `[${host}]` : host).host, host);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'invalid');
      }
    }),
    { numRuns: 500 },
  );
});

test('IPv6 in any spelling is read as the URL standard reads it', () => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const mine = parseAddress(text);
      assert.ok(mine);
      const theirs = parseAddress(new URL(`http://[${text}]/`).hostname.slice(1, -1));
      assert.deepEqual(mine, theirs);
    }),
  );
});
