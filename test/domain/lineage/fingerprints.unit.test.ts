import { randomBytes } from "node:crypto";
import { afterAll, describe, expect, it } from "vitest";
import { createFingerprintMaker } from "../../../src/domain/lineage/fingerprints/apart.ts";
import { createFingerprinter, FINGERPRINT_BYTES } from "../../../src/domain/lineage/fingerprints/digest.ts";
import { evidenceOf, OBSERVED_STRENGTH } from "../../../src/domain/lineage/fingerprints/evidence.ts";
import { createRarity } from "../../../src/domain/lineage/fingerprints/rarity.ts";
import { digestOfSet, readSetOf, unpacked } from "../../../src/domain/lineage/fingerprints/read-set.ts";
import { GRAM, WINDOW, winnow } from "../../../src/domain/lineage/fingerprints/winnow.ts";
import { writtenOf } from "../../../src/domain/lineage/fingerprints/written.ts";
import type { JsonValue } from "../../../src/facts/canonical.ts";

const key = new Uint8Array(32).fill(7);
const fingerprinter = createFingerprinter(key);
const sizeOf = (value: JsonValue) => Buffer.byteLength(JSON.stringify(value));
const setOf = (value: JsonValue, by = fingerprinter) => readSetOf(value, sizeOf(value), by);
const unknown = createRarity();

/** What `write` shares with `read`: paths, and how strong it is. */
function compare(read: JsonValue, write: JsonValue, said?: JsonValue) {
  const set = new Set(unpacked(setOf(read).bytes));
  const own = new Set(said === undefined ? [] : writtenOf(said, fingerprinter).fingerprints);
  const evidence = evidenceOf(writtenOf(write, fingerprinter), set, unknown, own);
  const { strength, unsaid } = evidence;
  const shared = evidence.shared.filter(({ isSaid }) => !isSaid);
  expect(unsaid).toBe(shared.reduce((sum, one) => sum + one.strength, 0));
  return { paths: shared.map(({ path, and }) => (and === undefined ? path : `${path} ${and}`)).sort(), strength };
}

const PROSE =
  "The parcel service says that it was handed over to a neighbour, which is not the case, and nobody there has seen it since.";

describe("winnowing", () => {
  it("keeps a piece of whatever two texts share of the guaranteed length", () => {
    const words = Array.from({ length: 300 }, () => randomBytes(3).toString("hex")).join(" ");
    const kept = (text: string) => new Set([...winnow(text)].map((at) => text.slice(at, at + GRAM)));
    const whole = kept(words);
    expect(whole.size).toBeLessThan(words.length / (WINDOW / 3));
    for (let at = 0; at + GRAM + WINDOW - 1 <= words.length; at += 7) {
      const quoted = words.slice(at, at + GRAM + WINDOW - 1);
      expect(
        [...kept(`zz ${quoted} yy`)].some((piece) => whole.has(piece)),
        quoted,
      ).toBe(true);
    }
    expect([...winnow("x".repeat(GRAM - 1))]).toEqual([]);
    expect([...winnow("x".repeat(GRAM))]).toEqual([0]);
    // Of equal ones the last: a run of one character is a few pieces, not one for each position.
    expect([...winnow("x".repeat(10_000))].length).toBeLessThan(10_000 / (WINDOW - 1) + 2);
  });
});

describe("the fingerprints of a read", () => {
  const contacts = [
    { name: "Mia Li", email: "mia.li@example.com", phone: "+1 555 010 9988", city: "Rome", since: "2021-03-04" },
    { name: "Bo Ng", email: "bo.ng@example.com", phone: "+1 555 010 4477", city: "Oslo", since: "2022-05-06" },
  ];

  it("take at most the bytes of the payload, are in order and none twice, whatever the payload is", () => {
    const payloads: readonly JsonValue[] = [
      contacts,
      PROSE,
      [PROSE, PROSE],
      {},
      "",
      1,
      randomBytes(3_000).toString("base64"),
      Array(999).fill("a1b2c3"),
    ];
    for (const value of payloads) {
      const { bytes } = setOf(value);
      const all = [...unpacked(bytes)];
      expect(bytes.length).toBeLessThanOrEqual(sizeOf(value));
      expect(bytes.length % FINGERPRINT_BYTES).toBe(0);
      expect(all).toEqual([...new Set(all)].sort((one, other) => one - other));
      expect(setOf(value).bytes).toEqual(bytes);
    }
  });

  it("are committed to with a salt and what was asked for", () => {
    const stored = { salt: new Uint8Array(16).fill(1), source: 2, fingerprints: setOf(contacts).bytes };
    const changes = [{ salt: new Uint8Array(16) }, { source: 3 }, { fingerprints: new Uint8Array(6) }];
    const digests = [{}, ...changes].map((change) => digestOfSet({ ...stored, ...change }));
    expect(new Set(digests).size).toBe(4);
    for (const digest of digests) expect(digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it("have none in common with those of another key", () => {
    const others = new Set(unpacked(setOf(contacts, createFingerprinter(new Uint8Array(32).fill(8))).bytes));
    const own = [...unpacked(setOf(contacts).bytes)];
    expect(own.length).toBeGreaterThan(8);
    expect(own.filter((one) => others.has(one))).toEqual([]);
  });

  it("say how many values were left out where there are too many", () => {
    const many = Array.from({ length: 130_000 }, (_, at) => `user-${at * 7919}`);
    const { bytes, omitted } = setOf(many);
    expect(bytes.length / FINGERPRINT_BYTES + omitted).toBeGreaterThanOrEqual(130_000);
    expect(omitted).toBeGreaterThan(20_000);
    expect(setOf(contacts).omitted).toBe(0);
  });
});

describe("evidence", () => {
  const read = {
    customer: { first_name: "Amelia", last_name: "Ahmed", email: "amelia@example.com" },
    total: 1234.5,
    ordered: "2024-05-20T14:30:00Z",
    text: PROSE,
    common: ["yes", "gold", "NYC", 250],
  };

  it("names the paths of values that are the same, in other letters or in another form, once each", () => {
    const { paths, strength } = compare(read, {
      who: "AMELIA@example.com",
      sum: ["$1,234.50", "$1,234.50"],
      when: "May 20, 2024 2:30 PM",
      other: "Rome",
    });
    expect(paths).toEqual(["/sum/0", "/when", "/who"]);
    expect(strength).toBeGreaterThanOrEqual(OBSERVED_STRENGTH);
  });

  it("finds a value within prose, on either side, and a name that is split or joined", () => {
    expect(compare(read, { text: "Please call Amelia Ahmed back about it." })).toMatchObject({ paths: ["/text"] });
    expect(compare({ note: "Mail from Amelia Ahmed, order ORD-2024-88." }, { ref: "ord-2024-88" }).paths).toEqual([
      "/ref",
    ]);
    expect(compare(read, { name: "Ahmed, Amelia" })).toMatchObject({ paths: ["/name"] });
    expect(compare({ name: "Amelia Ahmed" }, { last: "Ahmed", first: "Amelia" }).paths).toEqual(["/last /first"]);
  });

  it("finds a sentence of a longer text, and not a few words of it", () => {
    const quoted = `FYI: "${PROSE.slice(20, 100).replaceAll(" ", "\n")}" (their words)`;
    expect(compare(read, { quoted }).strength).toBeGreaterThanOrEqual(OBSERVED_STRENGTH);
    expect(compare(read, { quoted: "which is not the case" }).strength).toBe(0);
  });

  it("is none for what is found anywhere, or was read nowhere", () => {
    expect(compare(read, { a: "yes", b: "gold", c: "NYC", d: 250, e: true, f: 0, g: null }).strength).toBe(0);
    expect(compare(read, { a: "Bo Ng", b: "bo@example.com", c: 999.75, d: "2024-05-21" }).strength).toBe(0);
  });

  it("is not taken from what the person said themselves", () => {
    const write = { to: "amelia@example.com", sum: 1234.5 };
    expect(compare(read, write, "Send 1,234.50 to Amelia@example.com please").paths).toEqual([]);
    const { paths, strength } = compare(read, write, "Send it to amelia@example.com");
    expect(paths).toEqual(["/sum"]);
    expect(strength).toBeGreaterThan(10);
  });

  it("shrinks to nothing as a value is found in more and more sources, and not when one is read again", () => {
    const rarity = createRarity();
    const { bytes } = setOf("amelia@example.com");
    const [one = 0] = unpacked(bytes);
    for (let again = 0; again < 50; again += 1) rarity.note(bytes, { source: 1, reader: again });
    expect([rarity.sources(one), rarity.factor(one)]).toEqual([1, 1]);
    let before = 1;
    for (let source = 2; source <= 60; source += 1) {
      rarity.note(setOf(["amelia@example.com", `x${source}`, `y${source}`]).bytes, { source, reader: source });
      expect(rarity.factor(one)).toBeLessThanOrEqual(before);
      before = rarity.factor(one);
      if (source === 4) expect(before).toBeGreaterThan(0.5);
    }
    expect(before).toBe(0);
    expect(rarity.factor(one + 1)).toBe(1);
  });

  it("stays where one principal reads the same page again and again, or pages of their own, or long lists", () => {
    const [one = 0] = unpacked(setOf("amelia@example.com").bytes);
    const page = Array.from({ length: 40 }, (_, at) => `C-${at * 7919}`);
    const linked = (rarity: ReturnType<typeof createRarity>) => 12 * rarity.factor(one) >= OBSERVED_STRENGTH;
    const [same, own, lists] = [createRarity(), createRarity(), createRarity()];
    for (let n = 0; n < 300; n += 1) {
      // With ?n=1, ?n=2, … it is another question with the same result.
      same.note(setOf(["amelia@example.com", ...page]).bytes, { source: n, reader: n });
      own.note(setOf(["amelia@example.com", `x${n}`, `y${n}`]).bytes, { source: n, reader: 1 });
    }
    expect(linked(same)).toBe(true);
    expect(linked(own)).toBe(true);
    // What many read is not forgotten for it.
    for (let n = 0; n < 40; n += 1) lists.note(setOf(["Economy Class", `z${n}`]).bytes, { source: n, reader: n });
    const [common = 0] = unpacked(setOf("Economy Class").bytes);
    expect(lists.factor(common)).toBe(0);
    for (let n = 0; n < 60; n += 1) {
      const bytes = setOf(Array.from({ length: 900 }, (_, at) => `L-${n}-${at * 7919}`)).bytes;
      for (const again of [0, 1]) lists.note(bytes, { source: 2 * n + again, reader: 1 });
    }
    lists.note(setOf(Array.from({ length: 50_000 }, (_, at) => `M-${at * 7919}`)).bytes, { source: 5, reader: 1 });
    expect(lists.factor(common)).toBe(0);
    expect(lists.size()).toBeLessThan(20 * 1024 * 1024);
  });
});

describe("what is large", () => {
  const maker = createFingerprintMaker({ maxMs: 120_000 });
  afterAll(() => maker.close());

  it("is fingerprinted elsewhere, as in place, while this thread goes on", async () => {
    const rows = Array.from({ length: 5_000 }, (_, at) => ({
      id: `C-${at * 7919}`,
      name: `Name ${at}`,
      when: "2024-05-20",
    }));
    const json = JSON.stringify(rows);
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 1);
    const [read, written] = await Promise.all([maker.ofRead(key, json), maker.ofWrite(key, json)]);
    clearInterval(timer);
    expect(read).toEqual(readSetOf(rows, Buffer.byteLength(json), fingerprinter));
    expect(written).toEqual(writtenOf(rows, fingerprinter));
    expect(turns).toBeGreaterThan(3);
    expect(await maker.ofRead(key, '"mia@example.com"')).toEqual(setOf("mia@example.com"));
  }, 60_000);

  it("is given up when it takes too long or cannot be read, and the next is not", async () => {
    const hasty = createFingerprintMaker({ maxMs: 1 });
    const json = JSON.stringify(Array.from({ length: 20_000 }, (_, at) => `user-${at * 7919}`));
    expect(await hasty.ofRead(key, json)).toBeUndefined();
    // Each of those behind it gets a thread of its own time, and what a thread had before it.
    expect(await Promise.all([1, 2, 3].map(() => hasty.ofRead(key, json)))).toEqual([undefined, undefined, undefined]);
    await hasty.close();
    expect(await maker.ofRead(key, `${json}]`)).toBeUndefined();
    expect((await maker.ofRead(key, json))?.bytes.length).toBeGreaterThan(0);
  }, 60_000);

  it("of one organization makes nobody else wait, nor does what it takes too long for fail for others", async () => {
    const other = new Uint8Array(32).fill(9);
    const large = JSON.stringify(Array.from({ length: 20_000 }, (_, at) => `user-${at * 7919}`));
    const small = JSON.stringify(Array.from({ length: 500 }, (_, at) => `user-${at * 7919}`));
    const ended: string[] = [];
    const asked = Array.from({ length: 6 }, async () => {
      expect(await maker.ofRead(key, large)).toBeDefined();
      ended.push("large");
    });
    const others = Array.from({ length: 3 }, async () => {
      expect(await maker.ofRead(other, small)).toBeDefined();
      ended.push("small");
    });
    await Promise.all([...asked, ...others]);
    expect(ended.slice(0, 5).filter((one) => one === "small")).toHaveLength(3);
    // Its own is refused beyond what may wait, and that of others is taken.
    const long = JSON.stringify("x ".repeat(5_000_000));
    const refused = Array.from({ length: 8 }, () => maker.ofRead(key, long));
    const taken = maker.ofRead(other, small);
    expect(
      await Promise.race([refused.at(-1), new Promise((resolve) => setTimeout(resolve, 60_000, "late"))]),
    ).toBeUndefined();
    expect(await taken).toBeDefined();
    await Promise.all(refused);
  }, 240_000);

  it.each([
    ["a single character", "a".repeat(200_000)],
    ["digits with spaces", "1 ".repeat(100_000)],
    ["brackets", "[".repeat(100_000) + "]".repeat(100_000)],
    ["quotes in lines", 'a,b\n"'.repeat(40_000)],
    ["tags that are never closed", `${"<div>".repeat(40_000)}</p>`],
    ["tags that nothing opened", `${"<i>".repeat(400_000)}${"</b>".repeat(400_000)}`],
    ["names of attributes", `<p ${Array.from({ length: 100_000 }, (_, at) => `a${at}`).join(" ")}></p>`],
    ["lines of dashes", `a | b\n${`${" ".repeat(900)}x|\n`.repeat(200)}--- | ---\n`],
    ["spaces in lines", `${`k${" ".repeat(9_000)}\n`.repeat(22)}`],
    ["parts of addresses", `${"a.".repeat(50_000)}@${"a.".repeat(50_000)}`],
  ])(
    "is read within bounds where it is made of %s",
    async (_, text) => {
      const json = JSON.stringify({ text });
      expect(await maker.ofRead(key, json)).toBeDefined();
      expect(await maker.ofWrite(key, json)).toBeDefined();
    },
    60_000,
  );
});
