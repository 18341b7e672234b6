/** Closed-loop load: each caller sends its next request when the last one was answered. */

export interface Measured {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

export async function drive(
  callers: number,
  seconds: number,
  work: (caller: number, turn: number) => Promise<unknown>,
): Promise<Measured> {
  const warm = performance.now() + seconds * 250;
  const end = warm + seconds * 1000;
  const latencies: number[] = [];
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      for (let turn = 0; ; turn++) {
        const started = performance.now();
        if (started >= end) return;
        await work(caller, turn);
        const ended = performance.now();
        if (ended >= warm && ended < end) latencies.push(ended - started);
      }
    }),
  );
  latencies.sort((a, b) => a - b);
  return { perSecond: latencies.length / seconds, p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) };
}

/** Of sorted values. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return percentile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}

/**
 * The 95 % interval of the median of `values`, by their order (the binomial distribution with p = 1/2): the smallest and the
 * largest value when there are fewer than six.
 */
export function intervalOfMedian(values: readonly number[]): readonly [low: number, high: number] {
  const sorted = [...values].sort((a, b) => a - b);
  const count = sorted.length;
  let below = 0;
  let probability = 0.5 ** count;
  let cumulated = probability;
  while (cumulated <= 0.025 && below < count >> 1) {
    below += 1;
    probability *= (count - below + 1) / below;
    cumulated += probability;
  }
  return [sorted[below] ?? Number.NaN, sorted[count - 1 - below] ?? Number.NaN];
}

/** The run whose throughput is the median of `runs`. */
export function medianRun(runs: readonly Measured[]): Measured {
  const sorted = [...runs].sort((a, b) => a.perSecond - b.perSecond);
  return sorted[sorted.length >> 1] ?? { perSecond: Number.NaN, p50: Number.NaN, p99: Number.NaN };
}

/** A markdown table. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}
