/**
 * Reads short texts that come again and again (types, platforms, names of members) without decoding each of them: a table
 * of fixed size remembers what was read, and only bytes that are the same are taken for the same.
 */
export type Intern = (bytes: Uint8Array, begin: number, end: number) => string;

interface Slot {
  readonly bytes: Uint8Array;
  readonly text: string;
}

const SLOTS = 4_096;
/** Longer texts are seldom the same. */
const LONGEST = 64;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export function createIntern(): Intern {
  const slots: (Slot | undefined)[] = Array.from({ length: SLOTS });
  return (bytes, begin, end) => {
    if (end - begin > LONGEST) return decoder.decode(bytes.subarray(begin, end));
    // FNV-1a.
    let hash = 0x811c9dc5;
    for (let at = begin; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
    const slot = (hash ^ (hash >>> 16)) & (SLOTS - 1);
    const known = slots[slot];
    if (known !== undefined && isSame(known.bytes, bytes, begin, end)) return known.text;
    // Not `slice`: that of a Buffer shares its memory, which whoever reads from a connection overwrites.
    const copy = Uint8Array.from(bytes.subarray(begin, end));
    const text = decoder.decode(copy);
    slots[slot] = { bytes: copy, text };
    return text;
  };
}

function isSame(known: Uint8Array, bytes: Uint8Array, begin: number, end: number): boolean {
  if (known.length !== end - begin) return false;
  for (let at = 0; at < known.length; at++) if (known[at] !== bytes[begin + at]) return false;
  return true;
}
