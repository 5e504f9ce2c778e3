type Labels = Readonly<Record<string, string>>;

type Kind = 'counter' | 'gauge' | 'histogram';

type Series = { labels: string; value: number; buckets?: number[]; sum?: number };

/** Upper bounds of latency histograms, seconds. */
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Numbers of this process in the Prometheus text format (version 0.0.4). Label values come from closed sets only. */
export class Metrics {
  readonly #families = new Map<string, { kind: Kind; help: string; series: Map<string, Series> }>();
  readonly #gauges: { name: string; help: string; read: () => number }[] = [];

  /** Adds to a counter. */
  count(name: string, help: string, labels: Labels = {}, by = 1): void {
    this.#series(name, 'counter', help, labels).value += by;
  }

  /** Records a duration in seconds. */
  observe(name: string, help: string, labels: Labels, seconds: number): void {
    const series = this.#series(name, 'histogram', help, labels);
    series.buckets ??= new Array<number>(bounds.length).fill(0);
    const { buckets } = series;
    for (let i = bounds.length - 1; i >= 0 && seconds <= (bounds[i] as number); i--)
      buckets[i] = (buckets[i] as number) + 1;
    series.value++;
    series.sum = (series.sum ?? 0) + seconds;
  }

  /** A number read when asked for. */
  gauge(name: string, help: string, read: () => number): void {
    this.#gauges.push({ name, help, read });
  }

  /** All metrics as text. */
  text(): string {
    const lines: string[] = [];
    for (const [name, family] of this.#families) {
      lines.push(`# HELP ${name} ${family.help}`, `# TYPE ${name} ${family.kind}`);
      for (const series of family.series.values()) {
        if (series.buckets === undefined) {
          lines.push(`${name}${wrap(series.labels)} ${series.value}`);
          continue;
        }
        series.buckets.forEach((count, i) => {
          lines.push(`${name}_bucket${wrap(join(series.labels, `le="${bounds[i]}"`))} ${count}`);
        });
        lines.push(
          `${name}_bucket${wrap(join(series.labels, 'le="+Inf"'))} ${series.value}`,
          `${name}_sum${wrap(series.labels)} ${series.sum}`,
          `${name}_count${wrap(series.labels)} ${series.value}`,
        );
      }
    }
    for (const { name, help, read } of this.#gauges)
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, `${name} ${read()}`);
    return `${lines.join('\n')}\n`;
  }

  #series(name: string, kind: Kind, help: string, labels: Labels): Series {
    let family = this.#families.get(name);
    if (family === undefined) {
      family = { kind, help, series: new Map() };
      this.#families.set(name, family);
    }
    const key = Object.entries(labels)
      .map(([label, value]) => `${label}="${value.replace(/["\\\n]/g, '_')}"`)
      .join(',');
    let series = family.series.get(key);
    if (series === undefined) {
      series = { labels: key, value: 0 };
      family.series.set(key, series);
    }
    return series;
  }
}

function wrap(labels: string): string {
  return labels === '' ? '' : `{${labels}}`;
}

function join(a: string, b: string): string {
  return a === '' ? b : `${a},${b}`;
}
