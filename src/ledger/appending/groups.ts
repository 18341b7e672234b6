import type { Draft } from "./call.ts";

/** A draft that waits to be recorded. */
export interface Grouped {
  readonly draft: Draft;
  /** The same for all drafts that are to be recorded in one transaction, which wait next to each other. */
  readonly group: object;
}

/** UTF-16 code units of text. */
export function sizeOf({ body, payload }: Draft): number {
  return body.length + payload.length;
}

/**
 * How many of `waiting`, from the first on, fit into one transaction of `most` drafts and `mostSize` code units, and their
 * size. Groups are not parted: the first one counts whole, whatever its size.
 */
export function wholeGroups(
  waiting: readonly Grouped[],
  most: number,
  mostSize: number,
): { readonly count: number; readonly size: number } {
  let size = 0;
  let count = 0;
  while (count < waiting.length) {
    const end = endOfGroup(waiting, count);
    let more = 0;
    for (let at = count; at < end; at += 1) more += sizeOf((waiting[at] as Grouped).draft);
    if (count > 0 && (end > most || size + more > mostSize)) break;
    size += more;
    count = end;
  }
  return { count, size };
}

/** The two halves of a batch. They part between groups where there are several; a single group is parted in its middle. */
export function halves<Item extends Grouped>(batch: readonly Item[]): readonly (readonly Item[])[] {
  const middle = batch.length >> 1;
  const { group } = batch[middle] as Item;
  const start = batch.findIndex((item) => item.group === group);
  const end = endOfGroup(batch, middle);
  const nearest = start > 0 && (middle - start <= end - middle || end === batch.length) ? start : end;
  const cut = nearest === batch.length ? middle : nearest;
  return [batch.slice(0, cut), batch.slice(cut)];
}

/** Where the group of the item at `at` ends. */
function endOfGroup(batch: readonly Grouped[], at: number): number {
  const { group } = batch[at] as Grouped;
  let end = at + 1;
  while (batch[end]?.group === group) end += 1;
  return end;
}
