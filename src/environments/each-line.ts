const LONGEST_LINE = 2000;

/** Cuts the text of a program, as it comes, into its lines; a carriage return ends one too, and what is longer than most is cut. */
export function eachLine(onLine: (line: string) => void): (chunk: string | Uint8Array) => void {
  const decoder = new TextDecoder();
  let rest = '';
  return (chunk) => {
    const lines = (rest + (typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true }))).split(
      /[\r\n]+/,
    );
    rest = (lines.pop() ?? '').slice(0, LONGEST_LINE);
    for (const line of lines) if (line.trim() !== '') onLine(line.slice(0, LONGEST_LINE).trimEnd());
  };
}
