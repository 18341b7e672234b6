import { describe, expect, it } from "vitest";
import { canonicalize } from "../../src/facts/canonical.ts";
import { entryText, GENESIS_HASH, parseEntry } from "../../src/facts/entry.ts";

const fields = {
  body: '{"id":"x","type":"T"}',
  ledger: "acme/eu",
  prevHash: GENESIS_HASH,
  recordedAt: "2026-11-21T22:50:01.123456Z",
  seq: 17n,
} as const;
const text = entryText(fields);

describe("entryText", () => {
  it("is the RFC 8785 text of the entry", () => {
    const { body, seq, ...others } = fields;
    expect(text).toBe(canonicalize({ ...others, body: JSON.parse(body) as never, seq: String(seq), v: 1 }));
  });
});

describe("parseEntry", () => {
  it("reads back what entryText wrote", () => {
    expect(parseEntry(text)).toEqual({ ...fields, body: { id: "x", type: "T" }, v: 1 });
  });

  it("keeps positions beyond 2^53 exact", () => {
    expect(parseEntry(entryText({ ...fields, seq: 2n ** 63n - 1n })).seq).toBe(9223372036854775807n);
  });

  it.each([
    ["another version", '"v":1', '"v":2'],
    ["a body that is a list", '{"id":"x","type":"T"}', "[]"],
    ["a body that is null", '{"id":"x","type":"T"}', "null"],
    ["a ledger without a region", "acme/eu", "acme"],
    ["a hash in capitals", GENESIS_HASH, "F".repeat(64)],
    ["a short hash", GENESIS_HASH, "0".repeat(63)],
    ["milliseconds", ".123456Z", ".123Z"],
    ["another time zone", "56Z", "56+00:00"],
    ["a day that there is not", "11-21T", "11-31T"],
    ["a leap day of no leap year", "11-21T", "02-29T"],
    ["a position that is a number", '"17"', "17"],
    ["position 0", '"17"', '"0"'],
    ["a position with a leading zero", '"17"', '"017"'],
    ["no JSON", '{"body"', '"body"'],
  ])("refuses %s", (_name, right, wrong) => {
    expect(text).toContain(right);
    expect(() => parseEntry(text.replace(right, wrong))).toThrow(SyntaxError);
  });

  it.each(["[]", '"text"', "1", ""])("refuses %j", (other) => {
    expect(() => parseEntry(other)).toThrow(SyntaxError);
  });
});
