export const XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n';
export const S3_NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Text as it stands in XML; control characters go as references, as S3 sends them. */
export const escapeXml = (text: string): string =>
  text.replace(/[&<>"\u0000-\u001f]/g, (found) => ESCAPES[found] ?? `&#${found.charCodeAt(0)};`);

/** What an element holds: text, or elements in order (repeated names as arrays); undefined is left out. */
export type XmlValue = string | number | boolean | undefined | XmlTree | (XmlTree | string)[];
export type XmlTree = { [name: string]: XmlValue };

/** Elements in the order of the object's members. */
export function writeXml(tree: XmlTree): string {
  return Object.entries(tree)
    .map(([name, value]) => writeElement(name, value))
    .join('');
}

function writeElement(name: string, value: XmlValue): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return value.map((one) => writeElement(name, one)).join('');
  const inner = typeof value === 'object' ? writeXml(value) : escapeXml(String(value));
  return `<${name}>${inner}</${name}>`;
}

/** A whole document under a root element in S3's name space. */
export const xmlDocument = (root: string, tree: XmlTree): string =>
  `${XML_HEAD}<${root} xmlns="${S3_NAMESPACE}">${writeXml(tree)}</${root}>`;
