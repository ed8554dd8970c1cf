/** What a thread did in its long turns, out of a profile of the inspector (Profiler.Profile of the DevTools protocol). */
import type { Turn } from './loop-watch.ts';

type Node = {
  id: number;
  callFrame: { functionName: string; url: string; lineNumber: number };
  children?: number[];
};
export type Profile = { nodes: Node[]; startTime: number; samples?: number[]; timeDeltas?: number[] };

const MOST_LINES = 8;
/** Frames of our own that a line names, from the innermost. */
const OWN_FRAMES = 4;

/** The places in which most of the long turns went, the most first: milliseconds, and the frames from the innermost out. */
export function stacksIn(profile: Profile, turns: readonly Turn[]): string[] {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id])));
  const spent = new Map<string, number>();
  let at = profile.startTime;
  for (const [index, id] of (profile.samples ?? []).entries()) {
    const deltaUs = profile.timeDeltas?.[index] ?? 0;
    at += deltaUs;
    if (!turns.some((turn) => at >= turn.from && at <= turn.to)) continue;
    const name = placeOf(id, nodes, parents);
    spent.set(name, (spent.get(name) ?? 0) + deltaUs / 1000);
  }
  return [...spent]
    .sort(([, a], [, b]) => b - a)
    .slice(0, MOST_LINES)
    .map(([name, ms]) => `${ms.toFixed(0)} ms in ${turns.length} long turns: ${name}`);
}

function placeOf(leaf: number, nodes: ReadonlyMap<number, Node>, parents: ReadonlyMap<number, number>): string {
  const frames: string[] = [nodes.get(leaf)?.callFrame.functionName || '(anonymous)'];
  for (let id: number | undefined = leaf; id !== undefined && frames.length <= OWN_FRAMES; id = parents.get(id)) {
    const { functionName, url, lineNumber } = nodes.get(id)?.callFrame ?? { functionName: '', url: '', lineNumber: 0 };
    const own = /\/src\/(.*)$/.exec(url)?.[1];
    if (own !== undefined && !url.includes('node_modules'))
      frames.push(`${functionName || '(anonymous)'} ${own}:${lineNumber + 1}`);
  }
  return frames.join(' < ');
}
