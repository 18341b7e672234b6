/** Characters of a piece that is compared: of shorter ones, too many are found anywhere. */
export const GRAM = 20;
/** Pieces of which one is kept: whatever two texts share of GRAM + WINDOW - 1 characters is found. */
export const WINDOW = 20;

const BASE = 0x01000193;
/** What the character that leaves a piece was multiplied by. */
const LEAVING = Array.from({ length: GRAM }).reduce<number>((power) => Math.imul(power, BASE), 1);

/**
 * Where the pieces of `text` begin that are kept of it: of each WINDOW that follow each other the one with the smallest hash, of equal ones
 * that of the window before, or the last (robust winnowing: Schleimer, Wilkerson and Aiken, Winnowing, SIGMOD 2003). The hash only chooses, so that it needs no key.
 */
export function* winnow(text: string): Generator<number> {
  const count = text.length - GRAM + 1;
  if (count < 1) return;
  const hashes = new Uint32Array(WINDOW);
  let hash = 0;
  for (let at = 0; at < GRAM - 1; at += 1) hash = (Math.imul(hash, BASE) + text.charCodeAt(at)) | 0;
  let smallest = -1;
  for (let at = 0; at < count; at += 1) {
    hash = (Math.imul(hash, BASE) + text.charCodeAt(at + GRAM - 1)) | 0;
    if (at > 0) hash = (hash - Math.imul(text.charCodeAt(at - 1), LEAVING)) | 0;
    hashes[at % WINDOW] = scatter(hash);
    if (at < Math.min(WINDOW, count) - 1) continue;
    const before = smallest;
    const first = Math.max(0, at - WINDOW + 1);
    if (smallest < first) {
      smallest = first;
      for (let one = first; one <= at; one += 1) if (isLess(one, smallest)) smallest = one;
    } else if ((hashes[at % WINDOW] as number) < (hashes[smallest % WINDOW] as number)) smallest = at;
    if (smallest !== before) yield smallest;
  }

  function isLess(one: number, other: number): boolean {
    return (hashes[one % WINDOW] as number) <= (hashes[other % WINDOW] as number);
  }
}

/** The low bits of a rolling hash follow the last characters alone (Murmur3's finalizer). */
function scatter(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
