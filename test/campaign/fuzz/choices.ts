import fc from "fast-check";

/**
 * Decisions read off a list of numbers, so that fast-check shrinks whatever is made of them by shrinking the list. When the list
 * ends, every further decision is the first possible one.
 */
export interface Choices {
  /** A whole number from 0 to `count` - 1. */
  below(count: number): number;
  /** True once in `times`, never when the list has ended. */
  oneIn(times: number): boolean;
  pick<Item>(items: readonly Item[]): Item;
  /** Up to `most` of what `make` makes. */
  some<Item>(most: number, make: () => Item): readonly Item[];
}

/** Without the bias of fast-check towards small numbers, which would make the first possibilities of everything. */
export const lists: fc.Arbitrary<readonly number[]> = fc.noBias(
  fc.array(fc.nat(0xff_ffff), { maxLength: 500, size: "max" }),
);

export function choicesOf(numbers: readonly number[]): Choices {
  let at = 0;
  const next = () => numbers[at++] ?? 0;
  const below = (count: number) => next() % count;
  return {
    below,
    oneIn: (times) => next() % times === times - 1,
    pick<Item>(items: readonly Item[]): Item {
      return items[below(items.length)] as Item;
    },
    some: (most, make) => Array.from({ length: below(most + 1) }, make),
  };
}
