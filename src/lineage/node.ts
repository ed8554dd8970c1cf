/** A thing in the lineage graph. `id` is unique within its kind. */
export const NODE_KINDS = [
  'dataset',
  'object',
  'environment',
  'image',
  'code',
  'sandbox',
  'experiment',
  'run',
  'model',
  'secret',
  'egress',
  'approval',
  'policy',
  'user',
] as const;
export type NodeKind = (typeof NODE_KINDS)[number];

/** `digest` (`sha256:…`) where the thing has content: two contents are two nodes. */
export type NodeRef = { kind: NodeKind; id: string; name?: string; digest?: string };

/** The text form of a node (`run:0a1b…`, `dataset:topics@1`), as the CLI takes it. */
export const nodeKey = (node: Pick<NodeRef, 'kind' | 'id'>): string => `${node.kind}:${node.id}`;

/** What crossed the wall in one act. `relation` is from the subject's view: `read`, `wrote`, `mounted`, `executed`, `used`. */
export type Observation = {
  node: NodeRef;
  relation: string;
  direction: 'in' | 'out';
  /** The run that it came of, when that is known; else it is the one that is active. */
  runId?: string;
};
