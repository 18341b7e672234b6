import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GENESIS_HASH, type LedgerEntry } from "../../src/facts/entry.ts";
import { Erasable } from "../../src/facts/erasable.ts";
import { sha256Hex } from "../../src/facts/hash.ts";
import {
  PAGE_ENTRIES,
  readEntries,
  readEntry,
  readEntryByHash,
  readEntryPage,
  readHead,
  toEntry,
  UnreadableEntryError,
} from "../../src/ledger/read.ts";
import { searchEntries } from "../../src/ledger/search.ts";
import { note, openScene, type Scene } from "./scene.ts";

let scene: Scene;
const written: LedgerEntry[] = [];

beforeAll(async () => {
  scene = await openScene();
  for (let n = 2; n <= 6; n++) written.push(await scene.ledgers.append("acme/eu", note(`n ${n}`)));
  await scene.ledgers.append("other/eu", note("of somebody else"));
});

afterAll(() => scene.close());

const positions = (entries: readonly LedgerEntry[]) => entries.map((entry) => Number(entry.seq));

describe("readEntry", () => {
  it("returns the entry, its payload and its hashes as they were appended", async () => {
    const entry = await readEntry(scene.pool, "acme/eu", 2n);
    const { ledger, seq, entry: text, hash, prevHash, recordedAt, type, body, payload } = written[0] as LedgerEntry;
    expect(entry).toEqual({ ledger, seq, entry: text, hash, prevHash, recordedAt, type, body, payload });
    expect(entry?.payload?.text?.value).toBe("n 2");
    expect(sha256Hex(text)).toBe(hash);
  });

  it("returns the time in microseconds, as in the hashed bytes", async () => {
    const entry = await readEntry(scene.pool, "acme/eu", 3n);
    expect(entry?.recordedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    expect(entry?.entry).toContain(`"recordedAt":"${entry?.recordedAt}"`);
  });

  it("has no payload where nothing was erasable", async () => {
    const genesis = await readEntry(scene.pool, "acme/eu", 1n);
    expect(genesis).toMatchObject({ type: "LEDGER_CREATED", prevHash: GENESIS_HASH, payload: undefined });
  });

  it("returns undefined for positions no ledger has", async () => {
    for (const seq of [-1n, 0n, 7n, 2n ** 63n, 10n ** 40n]) {
      expect(await readEntry(scene.pool, "acme/eu", seq)).toBeUndefined();
    }
    expect(await readEntry(scene.pool, "nobody/eu", 1n)).toBeUndefined();
  });

  it("reads back values as they are, whatever they are called and contain", async () => {
    const value = JSON.parse(
      String.raw`{"__proto__":{"constructor":1},"nul":"\u0000","big":1e300,"ünï":["\ud83d\ude00","\u2028"]}`,
    );
    const { seq } = await scene.ledgers.append("odd/eu", note("odd", { arguments: new Erasable(value) }));
    const entry = await readEntry(scene.pool, "odd/eu", seq);
    expect(JSON.stringify(entry?.payload?.arguments?.value)).toBe(
      '{"__proto__":{"constructor":1},"big":1e+300,"nul":"\\u0000","ünï":["😀","\u2028"]}',
    );
  });

  it("names an entry whose bytes are of no known format", () => {
    const { entry, hash } = written[0] as LedgerEntry;
    for (const text of ["", "{", "null", entry.replace(/"v":1}$/, '"v":2}'), entry.replace('"seq":"2"', '"seq":2')]) {
      const read = () => toEntry("acme/eu", { seq: "2", entry: text, hash, payload: null });
      expect(read).toThrow(UnreadableEntryError);
      expect(read).toThrow("entry 2 of ledger acme/eu");
    }
  });
});

describe("readEntryByHash", () => {
  it("finds every entry by its hash, the last one too", async () => {
    for (const entry of written) {
      expect((await readEntryByHash(scene.pool, "acme/eu", entry.hash))?.seq).toBe(entry.seq);
    }
  });

  it("returns undefined for another ledger's hash, the zeros before the first entry, and text that is not a hash", async () => {
    const { hash } = written[1] as LedgerEntry;
    expect(await readEntryByHash(scene.pool, "other/eu", hash)).toBeUndefined();
    for (const wrong of [GENESIS_HASH, "f".repeat(64), hash.toUpperCase(), "", "x'; --"]) {
      expect(await readEntryByHash(scene.pool, "acme/eu", wrong)).toBeUndefined();
    }
  });
});

describe("readEntries", () => {
  it("returns the requested positions, oldest first and once", async () => {
    expect(positions(await readEntries(scene.pool, "acme/eu", [5n, 2n, 5n, 99n, 0n]))).toEqual([2, 5]);
    expect(await readEntries(scene.pool, "acme/eu", [])).toEqual([]);
  });
});

describe("a search without a filter", () => {
  it("pages in both directions without gap or overlap", async () => {
    for (const newestFirst of [false, true]) {
      const seen: number[] = [];
      for (let from: bigint | undefined; ; ) {
        const range = newestFirst ? { before: from } : { after: from };
        const page = await searchEntries(scene.pool, "acme/eu", {}, { ...range, limit: 2, newestFirst });
        if (page.length === 0) break;
        seen.push(...positions(page));
        from = page.at(-1)?.seq;
      }
      expect(seen).toEqual(newestFirst ? [6, 5, 4, 3, 2, 1] : [1, 2, 3, 4, 5, 6]);
    }
  });

  it("leaves both ends out", async () => {
    const range = { after: 2n, before: 5n, limit: 10 };
    expect(positions(await searchEntries(scene.pool, "acme/eu", {}, range))).toEqual([3, 4]);
  });
});

describe("readEntryPage", () => {
  it("returns whether there are more, and bounds entries", async () => {
    await Promise.all(Array.from({ length: PAGE_ENTRIES }, (_, n) => scene.ledgers.append("long/eu", note(`${n}`))));
    const first = await readEntryPage(scene.pool, "long/eu", 0n);
    expect(first.entries).toHaveLength(PAGE_ENTRIES);
    expect(first.more).toBe(true);
    const second = await readEntryPage(scene.pool, "long/eu", BigInt(PAGE_ENTRIES));
    expect(positions(second.entries)).toEqual([PAGE_ENTRIES + 1]);
    expect(second.more).toBe(false);
    expect(await readEntryPage(scene.pool, "long/eu", 1_000n)).toEqual({ entries: [], more: false });
  });

  it("bounds bytes, but never so far that nothing is read", async () => {
    // Random text, which the database cannot compress away.
    const large = () => Array.from({ length: 60_000 }, () => Math.random().toString(36).slice(2, 12)).join("");
    for (let n = 0; n < 12; n++) await scene.ledgers.append("large/eu", note(large()));
    const sizes: number[] = [];
    for (let after = 0n, more = true; more; ) {
      const page = await readEntryPage(scene.pool, "large/eu", after);
      sizes.push(page.entries.length);
      after = page.entries.at(-1)?.seq ?? after;
      more = page.more;
    }
    expect(sizes.length).toBeGreaterThan(1);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(13);
    expect(Math.min(...sizes)).toBeGreaterThan(0);
  });
});

describe("readHead", () => {
  it("is the last entry's position and hash", async () => {
    expect(await readHead(scene.pool, "acme/eu")).toEqual({ seq: 6n, hash: written.at(-1)?.hash });
    expect(await readHead(scene.pool, "nobody/eu")).toBeUndefined();
  });
});
