import { XMLParser } from 'fast-xml-parser';
import { wireError } from './s3-error.ts';

const parser = new XMLParser({
  ignoreAttributes: true,
  removeNSPrefix: true,
  parseTagValue: false,
  trimValues: false,
  ignoreDeclaration: true,
  processEntities: false,
});

/** A parsed element: its children by name, always as a list. */
export type XmlElement = {
  text: string;
  children(name: string): XmlElement[];
  first(name: string): string | undefined;
};

/** Parses a request's XML under the root it must have; throws MalformedXML. Document types are refused, so no entity can be declared. */
export function readXml(text: string, root: string): XmlElement {
  let parsed: unknown;
  try {
    if (/<!DOCTYPE/i.test(text)) throw new TypeError('document types are not read');
    parsed = parser.parse(text, true);
  } catch {
    throw malformed();
  }
  const found = elementsOf(parsed, root);
  if (found[0] === undefined) throw malformed();
  return found[0];
}

const malformed = () => wireError('MalformedXML', 'The XML that was sent is not well-formed, or not what this needs.');

const NAMED: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/** References to characters, each decoded once: the five names of XML, and numbers. */
const decodeReferences = (text: string): string =>
  text.replace(/&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(lt|gt|amp|quot|apos));/g, (whole, hex, decimal, name) => {
    if (name !== undefined) return NAMED[name] ?? whole;
    const point = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return point > 0x10ffff ? whole : String.fromCodePoint(point);
  });

function elementsOf(parent: unknown, name: string): XmlElement[] {
  if (typeof parent !== 'object' || parent === null || !Object.hasOwn(parent, name)) return [];
  const value = (parent as Record<string, unknown>)[name];
  return (Array.isArray(value) ? value : [value]).map((one) => ({
    text: typeof one === 'string' ? decodeReferences(one) : '',
    children: (child) => elementsOf(one, child),
    first: (child) => elementsOf(one, child)[0]?.text,
  }));
}
