import { describe, expect, it } from "vitest";
import { canonicalize, type JsonObject, type JsonValue } from "../../src/facts/canonical.ts";
import { seal, type UnsealedObject } from "../../src/facts/commitment.ts";
import { Erasable } from "../../src/facts/erasable.ts";
import { checkPayload } from "../../src/verify/payload.ts";
import { sha256 } from "./ledger.ts";

const VALUES: readonly JsonValue[] = [
  "",
  "plain",
  '}]{["\\',
  '\\"',
  "\\",
  "\u0000\u001f\u2028\u{1f600}é",
  null,
  true,
  -0.5,
  1e21,
  [],
  {},
  [[["}"]], { "]": '"' }, 1],
  { salt: "x", value: { commit: "y" }, "}": "{" },
  "long ".repeat(20_000),
];

function findings(payload: string | Uint8Array | null, body: JsonObject) {
  const [complaints, missing]: [string[], string[]] = [[], []];
  const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
  checkPayload(bytes, body, canonicalize(body), sha256, {
    complain: (detail) => complaints.push(detail),
    ambiguous: (path) => complaints.push(`${path} is ambiguous`),
    missing: (paths) => missing.push(...paths),
  });
  return { complaints, missing };
}

const details = (payload: string | Uint8Array, body: JsonObject) => findings(payload, body).complaints;

function sealed(body: UnsealedObject): { readonly body: JsonObject; readonly payload: string } {
  const { body: text, payload } = seal(body);
  return { body: JSON.parse(text) as JsonObject, payload };
}

const MALFORMED = "the payload is not of the form that payloads have";
const changed = (path: string) => `the payload value at ${path} is not the one the entry committed to`;
const added = (path: string) => `the payload has a value at ${path} that the entry never committed to`;

describe("checkPayload", () => {
  it("finds every kind of value that was committed to", () => {
    for (const value of VALUES) {
      const { body, payload } = sealed({ at: new Erasable(value), list: [{ in: new Erasable(value) }], type: "NOTE" });
      expect(details(payload, body)).toEqual([]);
    }
  });

  it("names what is missing, be it the row, all values or one", () => {
    const draft = { a: new Erasable(1), b: [new Erasable(2), { c: new Erasable(3) }], type: "NOTE" };
    const { body, payload } = sealed(draft);
    expect(findings(payload, body)).toEqual({ complaints: [], missing: [] });
    for (const none of [null, "{}"]) {
      expect(findings(none, body)).toEqual({ complaints: [], missing: ["a", "b.0", "b.1.c"] });
    }
    const { "b.0": gone, ...others } = JSON.parse(payload) as Record<string, JsonValue>;
    expect(gone).toBeDefined();
    expect(findings(JSON.stringify(others), body)).toEqual({ complaints: [], missing: ["b.0"] });
    expect(findings(null, { type: "NOTE" })).toEqual({ complaints: [], missing: [] });
  });

  it("does not count a value twice in place of another", () => {
    const { body, payload } = sealed({ a: new Erasable(1), b: new Erasable(2), type: "NOTE" });
    const item = /"a":\{[^}]+\}/.exec(payload)?.[0];
    expect(findings(`{${item},${item}}`, body)).toEqual({ complaints: [MALFORMED], missing: [] });
  });

  it("reports a key with a dot on the way to a commitment", () => {
    const commitment = { commit: "0".repeat(64) };
    for (const body of [{ "a.b": commitment }, { a: { b: commitment }, "a.b": commitment }, { "a.b": [commitment] }]) {
      const path = Array.isArray(body["a.b"]) ? "a.b.0" : "a.b";
      expect(findings(null, { ...body, type: "NOTE" }).complaints).toEqual([`${path} is ambiguous`]);
    }
  });

  it("takes no text for a commitment", () => {
    const text = `{"commit":"${"0".repeat(64)}"}`;
    expect(
      findings(null, { text, type: "NOTE", list: [{ commit: "x" }], more: { commit: "0".repeat(64), of: 1 } }),
    ).toEqual({
      complaints: [],
      missing: [],
    });
  });

  it("reads paths as JSON writes them", () => {
    const { body, payload } = sealed({ 'q"\\\n': { é: new Erasable("x") }, "": new Erasable("y"), type: "NOTE" });
    expect(details(payload, body)).toEqual([]);
    expect(details(payload.replace('"y"', '"z"'), body)).toEqual([changed("")]);
    expect(details(payload.replace('"x"', '"z"'), body)).toEqual([changed('q"\\\n.é')]);
  });

  it("names what was changed, and nothing else", () => {
    const { body, payload } = sealed({ a: new Erasable("one"), b: { c: new Erasable([2, 3]) }, type: "NOTE" });
    expect(details(payload.replace("one", "two"), body)).toEqual([changed("a")]);
    expect(details(payload.replace("[2,3]", "[2, 3]"), body)).toEqual([changed("b.c")]);
    expect(details(payload.replace("[2,3]", "[2,3],4"), body)).toEqual([changed("b.c")]);
    expect(details(payload.replace('"value":"one"', '"value":"one","more":1'), body)).toEqual([changed("a")]);
    expect(details(payload.replace('"value":"one"', '"value":'), body)).toEqual([changed("a")]);
    expect(details(payload.replace('"salt":"', '"salt":"zz'), body)).toEqual([changed("a")]);
    expect(details(payload.replace(/"salt":"../, '"salt":"ZZ'), body)).toEqual([changed("a")]);
    expect(details(payload.replace('"salt"', '"sand"'), body)).toEqual([changed("a")]);
  });

  it("names a value where the body has no commitment", () => {
    const { body, payload } = sealed({
      a: new Erasable("one"),
      plain: { commit: "00", more: 1 },
      text: "t",
      type: "NOTE",
    });
    for (const path of [
      "b",
      "a.commit",
      "a.b",
      "plain",
      "text",
      "text.length",
      "constructor",
      "__proto__",
      "a.",
      ".a",
    ]) {
      const moved = payload.replace('"a"', JSON.stringify(path));
      expect(details(moved, body)).toEqual([added(path)]);
    }
  });

  it.each([
    ["a list", "[1]"],
    ["nothing", ""],
    ["a half", '{"a"'],
    ["a key alone", '{"a":}'],
    ["white space", "{ }"],
    ["white space behind", "{} "],
    ["a trailing comma", '{"a":1,}'],
    ["no key", "{1:1}"],
    ["a bad key", '{"\\x":1}'],
  ])("reports that %s is no payload", (_, payload) => {
    expect(details(payload, {})).toContain(MALFORMED);
  });

  it("ends, and throws nothing, whatever bytes there are", () => {
    const { body, payload } = sealed({ a: new Erasable({ x: '"' }), b: new Erasable([]), type: "NOTE" });
    const bytes = Buffer.from(payload);
    for (let at = 0; at < bytes.length; at++) {
      for (const byte of [0x00, 0x22, 0x2c, 0x5c, 0x7b, 0x7d, 0xff]) {
        const broken = Buffer.from(bytes);
        if (broken[at] === byte) continue;
        broken[at] = byte;
        expect(details(broken, body)).not.toEqual([]);
      }
      expect(details(bytes.subarray(0, at), body)).not.toEqual([]);
    }
  });
});
