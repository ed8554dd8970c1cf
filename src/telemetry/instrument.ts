/** Counters, gauges and histograms in memory, and their Prometheus text. Label values are few by design; a cap keeps them so. */

export type MetricSpec = {
  type: 'counter' | 'gauge' | 'histogram';
  help: string;
  labels: readonly string[];
  /** Upper bounds, rising, without infinity. */
  buckets?: readonly number[];
};

export type Counter = { inc(by: number, ...labels: string[]): void };
export type Gauge = {
  set(value: number, ...labels: string[]): void;
  add(by: number, ...labels: string[]): void;
  /** Forgets all series, before they are set anew. */
  clear(): void;
};
export type Histogram = { observe(value: number, ...labels: string[]): void };

/** An instrument that can write itself: one line a sample. */
export type Instrument = Counter & Gauge & Histogram & { render(): string };

/** More than any metric needs; what comes beyond is counted under the label value `other`. */
const MOST_SERIES = 1000;

type Series = { labels: readonly string[]; value: number; counts: number[] };

/** Builds the instrument that a spec describes. */
export function createInstrument(name: string, spec: MetricSpec): Instrument {
  const all = new Map<string, Series>();
  const bounds = spec.buckets ?? [];

  const seriesOf = (labels: readonly string[]): Series => {
    const key = labels.length === 1 ? (labels[0] ?? '') : labels.join('\u0000');
    const known = all.get(key);
    if (known !== undefined) return known;
    if (all.size >= MOST_SERIES && labels.some((label) => label !== 'other'))
      return seriesOf(labels.map(() => 'other'));
    const made = { labels: [...labels], value: 0, counts: bounds.map(() => 0) };
    all.set(key, made);
    return made;
  };
  // A metric without labels is there from the start, so that its absence is never taken for zero.
  if (spec.labels.length === 0) seriesOf([]);

  return {
    inc: (by, ...labels) => {
      seriesOf(labels).value += by;
    },
    set: (value, ...labels) => {
      seriesOf(labels).value = value;
    },
    add: (by, ...labels) => {
      seriesOf(labels).value += by;
    },
    clear: () => all.clear(),
    observe: (value, ...labels) => {
      const series = seriesOf(labels);
      series.value += value;
      const at = bounds.findIndex((bound) => value <= bound);
      const slot = at === -1 ? bounds.length : at;
      series.counts[slot] = (series.counts[slot] ?? 0) + 1;
    },
    render: () => {
      const lines = [`# HELP ${name} ${escapeHelp(spec.help)}`, `# TYPE ${name} ${spec.type}`];
      for (const series of all.values())
        lines.push(...(spec.type === 'histogram' ? histogramLines(name, spec, series) : [lineOf(name, spec, series)]));
      return `${lines.join('\n')}\n`;
    },
  };
}

function histogramLines(name: string, spec: MetricSpec, series: Series): string[] {
  const bounds = spec.buckets ?? [];
  let sum = 0;
  const buckets = [...bounds.map(String), '+Inf'].map((bound, at) => {
    sum += series.counts[at] ?? 0;
    return `${name}_bucket${labelText([...spec.labels, 'le'], [...series.labels, bound])} ${sum}`;
  });
  const labels = labelText(spec.labels, series.labels);
  return [...buckets, `${name}_sum${labels} ${series.value}`, `${name}_count${labels} ${sum}`];
}

const lineOf = (name: string, spec: MetricSpec, series: Series): string =>
  `${name}${labelText(spec.labels, series.labels)} ${series.value}`;

function labelText(names: readonly string[], values: readonly string[]): string {
  if (names.length === 0) return '';
  return `{${names.map((name, at) => `${name}="${escapeLabel(values[at] ?? '')}"`).join(',')}}`;
}

const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"');
