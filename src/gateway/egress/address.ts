/** IP addresses as numbers, in every notation that a resolver or a C library takes, and which of them are forbidden to reach. */

/** The four or sixteen bytes of an address. */
export type Address = { family: 4 | 6; bytes: readonly number[] };

/** Why an address may not be reached; undefined when it is on the public internet. */
export type Reason = 'private' | 'loopback' | 'link-local' | 'multicast' | 'metadata' | 'reserved';

/** Networks of IPv4 that are not the public internet (IANA special-purpose registry, and cloud metadata). */
const FORBIDDEN_4: readonly [string, number, Reason][] = [
  ['0.0.0.0', 8, 'reserved'],
  ['10.0.0.0', 8, 'private'],
  ['100.64.0.0', 10, 'private'],
  ['127.0.0.0', 8, 'loopback'],
  ['168.63.129.16', 32, 'metadata'],
  ['169.254.0.0', 16, 'link-local'],
  ['172.16.0.0', 12, 'private'],
  ['192.0.0.0', 24, 'reserved'],
  ['192.0.2.0', 24, 'reserved'],
  ['192.31.196.0', 24, 'reserved'],
  ['192.52.193.0', 24, 'reserved'],
  ['192.88.99.0', 24, 'reserved'],
  ['192.168.0.0', 16, 'private'],
  ['192.175.48.0', 24, 'reserved'],
  ['198.18.0.0', 15, 'reserved'],
  ['198.51.100.0', 24, 'reserved'],
  ['203.0.113.0', 24, 'reserved'],
  ['224.0.0.0', 4, 'multicast'],
  ['240.0.0.0', 4, 'reserved'],
];

/** Networks inside 2000::/3 that are not the public internet; everything outside it is forbidden anyway. */
const FORBIDDEN_6: readonly [string, number, Reason][] = [
  ['2001::', 23, 'reserved'],
  ['2001:db8::', 32, 'reserved'],
  ['2002::', 16, 'reserved'],
  ['2620:4f:8000::', 48, 'reserved'],
  ['3fff::', 20, 'reserved'],
];

/**
 * Reads IPv4 as `inet_aton` does: one to four parts, each decimal, octal (`0…`) or hexadecimal (`0x…`), the last one filling the rest.
 * `invalid` when the text must be a number (its last part begins like one) and is none; undefined when it is a name.
 */
export function parseIpv4(text: string): Address | 'invalid' | undefined {
  const parts = text.split('.');
  const last = parts.at(-1) ?? '';
  if (!/^(0x[0-9a-f]*|\d+)$/i.test(last)) return undefined;
  const numbers = parts.map(parseNumber);
  if (numbers.length > 4 || numbers.some((number) => number === undefined)) return 'invalid';
  const values = numbers.map((number) => number ?? 0);
  const rest = values.pop() ?? 0;
  if (values.some((value) => value > 255) || rest >= 256 ** (4 - values.length)) return 'invalid';
  const whole = values.reduce((sum, value, index) => sum + value * 256 ** (3 - index), rest);
  return { family: 4, bytes: [24, 16, 8, 0].map((shift) => Math.floor(whole / 2 ** shift) % 256) };
}

function parseNumber(part: string): number | undefined {
  if (/^0x[0-9a-f]+$/i.test(part)) return Number.parseInt(part.slice(2), 16);
  if (/^0[0-7]*$/.test(part)) return Number.parseInt(part, 8);
  return /^[1-9]\d*$/.test(part) ? Number(part) : undefined;
}

/** Reads IPv6 (RFC 4291 section 2.2) with no zone and no brackets; undefined when it is none. */
export function parseIpv6(text: string): Address | undefined {
  const tail = /^(.*:)(\d{1,3}(?:\.\d{1,3}){3})$/.exec(text);
  if (tail !== null) {
    const embedded = tail[2]?.split('.').map(Number) ?? [];
    if (embedded.some((byte) => byte > 255)) return undefined;
    const [a = 0, b = 0, c = 0, d = 0] = embedded;
    return parseIpv6(`${tail[1]}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`);
  }
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groupsOf = (half: string | undefined): string[] => (half === undefined || half === '' ? [] : half.split(':'));
  const before = groupsOf(halves[0]);
  const after = groupsOf(halves[1]);
  const missing = 8 - before.length - after.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...before, ...Array<string>(missing).fill('0'), ...after];
  if (groups.some((group) => !/^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  const bytes = groups.flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 255];
  });
  return { family: 6, bytes };
}

/** Reads an address as a resolver gives it. */
export function parseAddress(text: string): Address | undefined {
  if (text.includes(':')) return parseIpv6(text);
  const four = parseIpv4(text);
  return four === 'invalid' ? undefined : four;
}

/** An address in its one canonical form: dotted decimal, or eight groups of hexadecimal. IPv4-mapped IPv6 is the IPv4 address that it is. */
export function formatAddress(address: Address): string {
  const { family, bytes } = unmapped(address);
  if (family === 4) return bytes.join('.');
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2) groups.push((((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)).toString(16));
  return groups.join(':');
}

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255];
const NAT64 = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];

const startsWith = (bytes: readonly number[], prefix: readonly number[]): boolean =>
  prefix.every((byte, index) => bytes[index] === byte);

const unmapped = (address: Address): Address =>
  address.family === 6 && startsWith(address.bytes, MAPPED) ? { family: 4, bytes: address.bytes.slice(12) } : address;

/** Says why an address is not the public internet; addresses that carry another one (mapped, NAT64) count as the one that they carry. */
export function forbiddenReason(given: Address): Reason | undefined {
  const address = unmapped(given);
  const { bytes } = address;
  if (address.family === 4) return findReason(bytes, FORBIDDEN_4);
  if (startsWith(bytes, NAT64)) return findReason(bytes.slice(12), FORBIDDEN_4);
  const first = bytes[0] ?? 0;
  if (first >> 5 !== 1) return outsideGlobal(bytes);
  return findReason(bytes, FORBIDDEN_6);
}

function outsideGlobal(bytes: readonly number[]): Reason {
  const [first = 0, second = 0] = bytes;
  if (first === 0xff) return 'multicast';
  if (first === 0xfe && second >> 6 === 2) return 'link-local';
  if (first >> 1 === 0x7e) return 'private';
  if (bytes.slice(0, 15).every((byte) => byte === 0) && bytes[15] === 1) return 'loopback';
  return 'reserved';
}

function findReason(bytes: readonly number[], networks: readonly [string, number, Reason][]): Reason | undefined {
  return networks.find(([network, bits]) => inNetwork(bytes, parseAddress(network)?.bytes ?? [], bits))?.[2];
}

function inNetwork(bytes: readonly number[], network: readonly number[], bits: number): boolean {
  for (let at = 0; at * 8 < bits; at += 1) {
    const shift = Math.max(0, 8 - (bits - at * 8));
    if ((bytes[at] ?? 0) >> shift !== (network[at] ?? 0) >> shift) return false;
  }
  return true;
}
