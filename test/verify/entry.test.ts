import { describe, expect, it } from "vitest";
import { checkBody } from "../../src/facts/check/check.ts";
import { remembered } from "../../src/facts/check/sequel.ts";
import { dependenciesOf } from "../../src/facts/dependencies.ts";
import { Erasable } from "../../src/facts/erasable.ts";
import { canPermit } from "../../src/facts/permits.ts";
import { type CheckedEntry, checkEntry } from "../../src/verify/entry.ts";
import { SEARCH_COLUMNS, type StoredEntry } from "../../src/verify/rows.ts";
import type { Rules } from "../../src/verify/rules.ts";
import { created, LEDGER, moves, note, sha256, store, uuid } from "./ledger.ts";

const everyColumn = note("told", {
  id: uuid(7),
  session: uuid(8),
  action: uuid(9),
  onBehalfOf: { id: "boss" },
  platform: "crm",
  tool: "get",
  effect: "READ",
  chain: uuid(10),
  sourceChain: uuid(11),
  secret: new Erasable(1),
  states: [{ kind: "ACTION", id: "a", version: 3, state: {} }],
});
const row = store([created, everyColumn]).entries[1]!;

/** Those of the product that look at one entry. */
const RULES: Rules = { checkBody, canPermit, dependenciesOf, remembered };

/** `row` with other bytes, and the hash of those. */
function withText(change: (text: string) => string): StoredEntry {
  const entry = Buffer.from(change(Buffer.from(row.entry).toString()));
  return { ...row, entry, hash: sha256(entry) };
}

function found(
  entry: StoredEntry,
  rules: Rules = {},
): { readonly said: CheckedEntry | undefined; readonly problems: string[] } {
  const problems: string[] = [];
  const said = checkEntry(entry, { ledger: LEDGER, sha256, rules }, (verdict, detail) =>
    problems.push(`${verdict} ${detail}`),
  );
  return { said, problems };
}

describe("checkEntry", () => {
  it("finds no problem in an entry as it was stored, and returns its content", () => {
    const { said, problems } = found(row);
    expect(problems).toEqual([]);
    expect(said).toMatchObject({
      hash: row.hash,
      recordedAt: row.columns[0],
      states: [{ kind: "ACTION", id: "a", version: 3, state: {} }],
    });
  });

  it("reports nothing else of bytes with another hash than in the row", () => {
    const bytes = Buffer.from(row.entry);
    bytes[20] = bytes[20]! ^ 1;
    const { said, problems } = found({ ...row, entry: bytes, columns: row.columns.map(() => "x") });
    expect(said).toBeUndefined();
    expect(problems).toEqual([
      `CONTENT_MISMATCH the hash of the stored bytes is ${sha256(bytes)}, that in the row ${row.hash}`,
    ]);
  });

  it.each([
    ["a byte that is none of UTF-8", [0xff]],
    ["a surrogate", [0xed, 0xa0, 0x80]],
    ["a character that is cut off", [0xc3]],
    ["a longer form than needed", [0xc0, 0xaf]],
  ])("cannot verify bytes with %s, whatever they hash to", (_, wrong) => {
    const bytes = Buffer.from(row.entry);
    const at = bytes.indexOf("crm");
    const entry = Buffer.concat([bytes.subarray(0, at), Buffer.from(wrong), bytes.subarray(at + 3)]);
    const { said, problems } = found({ ...row, entry, hash: sha256(entry) });
    expect(said).toBeUndefined();
    expect(problems).toEqual(["UNVERIFIABLE the bytes are not UTF-8"]);
  });

  it.each(SEARCH_COLUMNS.map((name, at) => [name, at] as const))("names column %s when it disagrees", (name, at) => {
    const columns = row.columns.with(at, "x");
    const expected = `CONTENT_MISMATCH column ${name} is x, in the bytes it is ${row.columns[at]}`;
    expect(found({ ...row, columns }).problems).toEqual([expected]);
    expect(found({ ...row, columns: row.columns.with(at, null) }).problems).toEqual([
      expected.replace("is x", "is nothing"),
    ]);
  });

  it.each<readonly [string, (text: string) => string, string]>([
    ["no JSON", () => "}", "UNVERIFIABLE the bytes are not JSON"],
    [
      "another format",
      (text) => text.replace('"v":1}', '"v":2}'),
      "UNVERIFIABLE entry format 2 is not known to this version",
    ],
    ["no format", (text) => text.replace(',"v":1}', "}"), "UNVERIFIABLE entry format without a number is not known"],
    ["no object", () => "1", "UNVERIFIABLE entry format without a number is not known"],
    [
      "no body",
      (text) => text.replace(/"body":.*,"ledger"/, '"body":[],"ledger"'),
      "CONTENT_MISMATCH the bytes are not of the form",
    ],
  ])("knows nothing of an entry that is %s", (_, change, expected) => {
    const { said, problems } = found(withText(change));
    expect(said).toBeUndefined();
    expect(problems).toEqual([expect.stringContaining(expected)]);
  });

  it.each<readonly [string, (text: string) => string, string]>([
    [
      "its position",
      (text) => text.replace('"seq":"2"', '"seq":"3"'),
      "LINK_BROKEN the bytes are for position 3 of ledger acme/eu",
    ],
    [
      "its ledger",
      (text) => text.replace('"acme/eu"', '"acme/us"'),
      "LINK_BROKEN the bytes are for position 2 of ledger acme/us",
    ],
    ["its predecessor", (text) => text.replace(row.prevHash, "0".repeat(64)), "LINK_BROKEN the bytes name 0000"],
    [
      "its form",
      (text) => text.replace("{", "{ "),
      "CONTENT_MISMATCH the bytes are not of the form that entries have: it is not RFC 8785 text",
    ],
  ])("names %s, and goes on", (_, change, expected) => {
    const { said, problems } = found(withText(change));
    expect(said).toBeDefined();
    expect(problems).toEqual([expect.stringContaining(expected)]);
  });

  it("names values of the payload", () => {
    const payload = Buffer.from(Buffer.from(row.payload!).toString().replace("told", "sold"));
    expect(found({ ...row, payload }).problems).toEqual([
      "CONTENT_MISMATCH the payload value at text is not the one the entry committed to",
    ]);
    expect(found({ ...row, payload: null, payloadTime: null }).problems).toEqual([]);
  });

  it("names a payload that is dated otherwise than the entry", () => {
    expect(found({ ...row, payloadTime: "2027-11-22T10:00:00.000000Z" }).problems).toEqual([
      "CONTENT_MISMATCH the payload is dated 2027-11-22T10:00:00.000000Z, the entry 2026-11-22T10:00:00.000000Z",
    ]);
  });

  it("asks the vocabulary of facts about its members", () => {
    const checkBody: Rules["checkBody"] = ({ type }) => [`type: ${String(type)} is not known`];
    expect(found(row, { checkBody }).problems).toEqual(["RULE_BROKEN type: NOTE is not known"]);
  });

  it.each<readonly [string, string]>([
    ['"x"', "states: is no list of one or more"],
    ["{}", "states: is no list of one or more"],
    ["[]", "states: is no list of one or more"],
    ["[1]", "states.0: is not a kind, an id, a version and a state"],
    ['[{"id":"a","kind":"action","state":{},"version":1}]', "states.0: is not"],
    ['[{"id":"","kind":"ACTION","state":{},"version":1}]', "states.0: is not"],
    ['[{"id":"a","kind":"ACTION","state":[],"version":1}]', "states.0: is not"],
    ['[{"id":"a","kind":"ACTION","state":{},"version":0}]', "states.0: is not"],
    ['[{"id":"a","kind":"ACTION","state":{},"version":2147483648}]', "states.0: is not"],
    [`[{"id":"${"a".repeat(401)}","kind":"ACTION","state":{},"version":1}]`, "states.0: is not"],
    [
      '[{"id":"a","kind":"ACTION","state":{},"version":1},{"id":"a","kind":"ACTION","state":{},"version":2}]',
      "states.1: ACTION a is moved twice",
    ],
  ])("refuses states that are %s", (states, expected) => {
    const { problems } = found(withText((text) => text.replace(/"states":\[.*?\]/, `"states":${states}`)));
    expect(problems).toContainEqual(expect.stringContaining(`RULE_BROKEN ${expected}`));
  });

  it("takes ids of 400 characters beyond the BMP for 400", () => {
    const [, long] = store([created, moves("ACTION", "\u{1f600}".repeat(400), 1, "PENDING")]).entries;
    expect(found(long!).problems).toEqual([]);
  });
});

describe("nesting beyond every stack", () => {
  const deep = (depth: number) => `${'{"a":['.repeat(depth)}{"commit":"${"0".repeat(64)}"}${"]}".repeat(depth)}`;
  const put = (member: string, value: string) => (text: string) => {
    const without = text.replace(
      new RegExp(`"${member}":("[^"]*"|\\d+|\\[.*?\\]|\\{.*?\\})(?=[,}])`),
      `"${member}":${value}`,
    );
    return without === text ? text.replace('"body":{', `"body":{"${member}":${value},`) : without;
  };

  it.each([
    "v",
    "seq",
    "ledger",
    "prevHash",
    "recordedAt",
    "id",
    "actor",
    "session",
    "states",
    "type",
    "signature",
    "new",
    "__proto__",
  ])("is reported wherever it is: %s", (member) => {
    for (const depth of [40, 20_000, 200_000]) {
      const { said, problems } = found(withText(put(member, deep(depth))), RULES);
      expect(problems, member).not.toEqual([]);
      expect(said?.missing.filter((path) => path !== "secret") ?? []).toEqual([]);
    }
  });

  it("is told from what is not too deep", () => {
    const { said } = found(withText(put("new", deep(31))), RULES);
    expect(said?.missing.map((path) => path.split(".").length)).toEqual([63]);
  });
});
