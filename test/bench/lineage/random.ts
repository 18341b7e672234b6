/** Pseudorandom choices that follow from a seed (mulberry32). */
export interface Random {
  /** From 0 up to, not including, 1. */
  next(): number;
  /** A whole number from `least` to `most`. */
  whole(least: number, most: number): number;
  pick<Value>(values: readonly Value[]): Value;
  /** `count` of them, none twice, in the order they are in. */
  some<Value>(values: readonly Value[], count: number): readonly Value[];
  chance(share: number): boolean;
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  const whole = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
  return {
    next,
    whole,
    pick(values) {
      if (values.length === 0) throw new Error("nothing to pick from");
      return values[whole(0, values.length - 1)] as (typeof values)[number];
    },
    some(values, count) {
      const places = values.map((_, at) => ({ at, by: next() })).sort((one, other) => one.by - other.by);
      const chosen = places.slice(0, count).map(({ at }) => at);
      return chosen.sort((one, other) => one - other).map((at) => values[at] as (typeof values)[number]);
    },
    chance: (share) => next() < share,
  };
}
