import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { CanonicalText, canonicalize, type JsonObject, NotCanonicalError } from "../../src/facts/canonical.ts";
import { seal, type UnsealedObject } from "../../src/facts/commitment.ts";
import { Erasable } from "../../src/facts/erasable.ts";
import { commit, type Payload, unseal, unsealed, valueAt, Withheld, withheldValues } from "../../src/facts/payload.ts";

const SALT = "000102030405060708090a0b0c0d0e0f";
const parse = <T>(text: string) => JSON.parse(text) as T;
const bodyOf = (draft: UnsealedObject) => parse<JsonObject>(seal(draft).body);
const payloadOf = (draft: UnsealedObject) => parse<Payload>(seal(draft).payload);

describe("commit", () => {
  it("hashes the domain, a zero byte, the salt and the text", () => {
    const preimage = Buffer.concat([
      Buffer.from("countersign/commit/v1"),
      Buffer.from([0]),
      Buffer.from(SALT, "hex"),
      Buffer.from('"Zoë"'),
    ]);
    expect(commit(SALT, '"Zoë"')).toBe(createHash("sha256").update(preimage).digest("hex"));
    expect(commit(SALT, '""')).toBe("8f971cd7bc9cf2a7cc5195616a2d260816523ca037831958f1cd31a8944627e0");
  });
});

describe("seal", () => {
  it("leaves commitments where erasable values were, and keeps salt and value under the dotted path", () => {
    const draft = {
      type: "T",
      actor: { id: "a", profile: new Erasable({ email: "a@example.com" }) },
      notes: [new Erasable("first"), "kept"],
    };
    const { body, payload } = seal(draft);
    const stored = parse<Payload>(payload);
    expect(Object.keys(stored)).toEqual(["actor.profile", "notes.0"]);
    const commitment = (path: string) => {
      const { salt = "", value = null } = stored[path] ?? {};
      expect(salt).toMatch(/^[0-9a-f]{32}$/);
      return { commit: commit(salt, canonicalize(value)) };
    };
    expect(parse(body)).toEqual({
      type: "T",
      actor: { id: "a", profile: commitment("actor.profile") },
      notes: [commitment("notes.0"), "kept"],
    });
    expect(body).not.toContain("example.com");
    expect(payload).toBe(canonicalize(parse(payload)));
  });

  it("commits to values of any length and script as commit does", () => {
    for (const value of ["", "é".repeat(40_000), "😀".repeat(100_000), "a", "漢".repeat(70_000), "b"]) {
      const sealed = seal({ v: new Erasable(value) });
      const { salt = "" } = parse<Payload>(sealed.payload).v ?? {};
      expect(parse<JsonObject>(sealed.body)).toEqual({ v: { commit: commit(salt, JSON.stringify(value)) } });
    }
  });

  it("salts every value afresh, so that equal values do not look equal", () => {
    const bodies = Array.from({ length: 1_000 }, () => seal({ a: new Erasable("same"), b: new Erasable("same") }).body);
    const commits = bodies.flatMap((body) => Object.values(parse<Record<string, { commit: string }>>(body)));
    expect(new Set(commits.map(({ commit: hex }) => hex)).size).toBe(2_000);
  });

  it("has no payload when nothing is erasable", () => {
    expect(seal({ type: "T", gone: undefined })).toEqual({ body: '{"type":"T"}', payload: "" });
  });

  it("keeps members named like parts of a prototype, erasable or not", () => {
    const hostile = parse<UnsealedObject>('{"__proto__":{"polluted":1},"constructor":"c"}');
    expect(seal({ a: hostile }).body).toBe('{"a":{"__proto__":{"polluted":1},"constructor":"c"}}');
    const named = Object.fromEntries([
      ["__proto__", new Erasable("x")],
      ["toString", new Erasable("y")],
    ]);
    expect(seal(named).payload).toMatch(/^\{"__proto__":\{"salt":"\w{32}","value":"x"\},"toString":/);
    expect(Object.keys(bodyOf(named))).toEqual(["__proto__", "toString"]);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  it("refuses a path that would be ambiguous, and what is no JSON", () => {
    expect(() => seal({ "a.b": new Erasable(1) })).toThrow(NotCanonicalError);
    expect(() => seal({ "a.b": { c: new Erasable(1) } })).toThrow(NotCanonicalError);
    expect(() => seal({ "a.b": 1 })).not.toThrow();
    expect(() => seal({ at: new Date(0) as never })).toThrow("plain has no JSON form at at");
    expect(() => new Erasable("\ud800")).toThrow(NotCanonicalError);
    let deep: UnsealedObject = {};
    for (let n = 0; n < 20_000; n++) deep = { deep };
    expect(() => seal(deep)).toThrow(NotCanonicalError);
  });

  it("refuses numbers a body may not hold, and leaves erasable values free", () => {
    for (const wrong of [0.5, 2 ** 53, -(2 ** 53), Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => seal({ action: { n: [wrong] } })).toThrow(NotCanonicalError);
    }
    expect(() => seal({ action: { n: [0.5] } })).toThrow("written as a string at action.n.0");
    expect(seal({ n: [0, -0, 2 ** 53 - 1] }).body).toBe('{"n":[0,0,9007199254740991]}');
    expect(payloadOf({ a: new Erasable([0.5, 2 ** 60]) }).a?.value).toEqual([0.5, 2 ** 60]);
  });

  it("never writes an erasable value into a body by another way", () => {
    expect(() => canonicalize({ a: new Erasable("secret") as CanonicalText })).toThrow(NotCanonicalError);
  });
});

describe("unseal", () => {
  const values = { a: { b: new Erasable({ __proto__: null, x: [1] }) }, list: [new Erasable("one"), 2], plain: "p" };

  it("puts every value back in its place", () => {
    const { body, payload } = seal(values);
    expect(unseal(parse(body), parse(payload))).toEqual({ a: { b: { x: [1] } }, list: ["one", 2], plain: "p" });
  });

  const missing = (value: unknown) => ({ ...(value as object), problem: "MISSING" });

  it("marks the commitment where a value is missing, and leaves the body it was given alone", () => {
    const sealed = seal(values);
    const [body, payload] = [parse<JsonObject>(sealed.body), parse<Payload>(sealed.payload)];
    const [b, first] = [(body.a as JsonObject).b, (body.list as readonly unknown[])[0]];
    expect(unseal(body, undefined)).toEqual({ a: { b: missing(b) }, list: [missing(first), 2], plain: "p" });
    const one = Object.fromEntries(Object.entries(payload).filter(([path]) => path === "list.0"));
    expect(unseal(body, one)).toEqual({ a: { b: missing(b) }, list: ["one", 2], plain: "p" });
    expect(JSON.stringify(body)).toBe(sealed.body);
    expect([...withheldValues({ body, payload: one })]).toEqual([["a.b", "MISSING"]]);
  });

  it.each<[string, unknown]>([
    ["another value", { salt: SALT, value: "two" }],
    ["the same under another salt", { salt: SALT, value: "one" }],
    ["no salt", { value: "one" }],
    ["a salt that is none", { salt: "x", value: "one" }],
    ["no value", { salt: SALT }],
    ["text", "one"],
    ["null", null],
  ])("never takes %s for what was committed to", (_name, stored) => {
    const body = bodyOf({ list: [new Erasable("one")] });
    const payload = { "list.0": stored } as unknown as Payload;
    const [first] = body.list as readonly JsonObject[];
    expect(unseal(body, payload)).toEqual({ list: [{ ...first, problem: "ALTERED" }] });
    expect(valueAt({ body, payload }, "list.0")).toEqual(new Withheld(String(first?.commit), "ALTERED"));
    expect(unsealed({ ...body }, payload)).toEqual({ list: [undefined] });
  });

  it("compares a value that was found right under one commitment again under another", () => {
    const { body, payload } = seal({ a: new Erasable("x") });
    const stored = parse<Payload>(payload);
    expect(unseal(parse(body), stored)).toEqual({ a: "x" });
    expect(unseal(bodyOf({ a: new Erasable("x") }), stored)).toMatchObject({ a: { problem: "ALTERED" } });
  });

  it("finds its way through empty keys", () => {
    const { body, payload } = seal({ "": { x: new Erasable(1), "": new Erasable(2) }, x: 3 });
    expect(unseal(parse(body), parse(payload))).toEqual({ "": { x: 1, "": 2 }, x: 3 });
  });

  it("keeps members named like parts of a prototype", () => {
    const named = Object.fromEntries([["__proto__", new Erasable(parse('{"__proto__":1}'))]]);
    const { body, payload } = seal(named);
    expect(JSON.stringify(unseal(parse(body), parse(payload)))).toBe('{"__proto__":{"__proto__":1}}');
  });

  it("lets a payload replace nothing but commitments", () => {
    const sealed = bodyOf({ a: new Erasable(1) });
    const body = { ...sealed, type: "TRUE", nothing: null, action: { id: "1" } };
    const forged = [
      "type",
      "action",
      "action.id",
      "nothing.x",
      "type.length",
      "missing",
      "a.commit",
      "__proto__.x",
      "",
    ];
    const payload = Object.fromEntries(forged.map((path) => [path, { salt: SALT, value: "forged" }]));
    expect(unseal(body, payload)).toEqual({ ...body, a: missing(sealed.a) });
    expect(({} as { x?: string }).x).toBeUndefined();
  });

  it("reads back what was sealed, whatever was in it", () => {
    const value = parse<JsonObject>(
      String.raw`{"nul":"\u0000","__proto__":[],"text":"\"\\\u2028😀","n":-1.5e-7,"deep":{"a":[{}]}}`,
    );
    const { body, payload } = seal({ value: new Erasable(value) });
    expect(canonicalize(unseal(parse(body), parse(payload)))).toBe(canonicalize({ value }));
    expect(payloadOf({ value: new Erasable(new CanonicalText("[1]")) }).value?.value).toEqual([1]);
  });
});
