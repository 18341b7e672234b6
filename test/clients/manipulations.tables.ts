import type { JsonObject, JsonValue } from "../../src/facts/canonical.ts";

/** What is done to one entry, or to its payload, by what it then has, or is. */

/** Members of entries beside the body that are others than they should be, and the text after it was written. */
export interface Forged {
  readonly outer?: (entry: JsonObject) => JsonObject;
  readonly text?: (text: string) => string | Buffer;
}

const deepText = (depth: number) => `${'{"a":['.repeat(depth)}{"commit":"${"0".repeat(64)}"}${"]}".repeat(depth)}`;

/** Members of an entry beside its body, and its text. */
export const OF_TEXTS: Readonly<Record<string, Forged>> = {
  "another ledger": { outer: (entry) => ({ ...entry, ledger: "acme/eu" }) },
  "a ledger that is no name": { outer: (entry) => ({ ...entry, ledger: "Acme" }) },
  "a ledger that is a list": { outer: (entry) => ({ ...entry, ledger: [] }) },
  "no ledger": { outer: ({ ledger: _, ...entry }) => entry },
  "another predecessor": { outer: (entry) => ({ ...entry, prevHash: "f".repeat(64) }) },
  "a predecessor that is no hash": { outer: (entry) => ({ ...entry, prevHash: "f" }) },
  "no predecessor": { outer: ({ prevHash: _, ...entry }) => entry },
  "a predecessor that is null": { outer: (entry) => ({ ...entry, prevHash: null }) },
  "no time": { outer: ({ recordedAt: _, ...entry }) => entry },
  "a time that is no string": { outer: (entry) => ({ ...entry, recordedAt: 7 }) },
  "a time that is no instant": { outer: (entry) => ({ ...entry, recordedAt: "2026-02-30T00:00:00.000000Z" }) },
  "a time that comes after all others as text": { outer: (entry) => ({ ...entry, recordedAt: "soon" }) },
  "a time before the others": { outer: (entry) => ({ ...entry, recordedAt: "2001-01-01T00:00:00.000000Z" }) },
  "a time after the others": { outer: (entry) => ({ ...entry, recordedAt: "2999-01-01T00:00:00.000000Z" }) },
  "no position": { outer: ({ seq: _, ...entry }) => entry },
  "a position that is a number": { outer: (entry) => ({ ...entry, seq: 3 }) },
  "a position with a zero before it": { outer: (entry) => ({ ...entry, seq: `0${String(entry.seq)}` }) },
  "a position beyond the end": { outer: (entry) => ({ ...entry, seq: "99" }) },
  "a position that is too large": { outer: (entry) => ({ ...entry, seq: "9223372036854775808" }) },
  "another format": { outer: (entry) => ({ ...entry, v: 2 }) },
  "a format that is a string": { outer: (entry) => ({ ...entry, v: "1" }) },
  "no format": { outer: ({ v: _, ...entry }) => entry },
  "no body": { outer: ({ body: _, ...entry }) => entry },
  "a body that is a list": { outer: (entry) => ({ ...entry, body: [] }) },
  "a body that is null": { outer: (entry) => ({ ...entry, body: null }) },
  "a further member": { outer: (entry) => ({ ...entry, a: 1 }) },
  "a space": { text: (text) => text.replace('","', '", "') },
  "a space at its end": { text: (text) => `${text} ` },
  "a carriage return": { text: (text) => `${text}\r` },
  "a mark of its byte order": { text: (text) => `\ufeff${text}` },
  "no text": { text: () => "" },
  "half of it": { text: (text) => text.slice(0, text.length / 2) },
  "bytes that are no UTF-8": {
    text: (text) => Buffer.concat([Buffer.from(text.slice(0, 40)), Buffer.from([0xff, 0xfe])]),
  },
  "a byte that is no UTF-8 in a string": {
    text: (text) => Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0x80]), Buffer.from(`",${text.slice(1)}`)]),
  },
  "a number": { text: () => "1" },
  "a list": { text: () => "[]" },
  "a member twice": { text: (text) => text.replace('{"body":{', '{"body":{"actor":1,') },
  "a body twice": { text: (text) => text.replace('{"body":{', '{"body":{},"body":{') },
  "an escape that need not be": { text: (text) => text.replace('"type"', '"\\u0074ype"') },
  "half of a surrogate pair": { text: (text) => text.replace('"type":"', '"type":"\\ud800') },
  "an escaped NUL": { text: (text) => text.replace('"type":"', '"type":"\\u0000') },
  "a raw tab": { text: (text) => text.replace('"type":"', '"type":"\t') },
  "a number in another form": { text: (text) => text.replace('"v":1', '"v":1.0') },
  "a fraction": { text: (text) => text.replace('"body":{', '"body":{"a":0.5,') },
  "minus zero": { text: (text) => text.replace('"body":{', '"body":{"a":-0,') },
  "the largest number": { text: (text) => text.replace('"body":{', '"body":{"a":9007199254740991,') },
  "a number that is too large": { text: (text) => text.replace('"body":{', '"body":{"a":9007199254740993,') },
  "a number that no double has": { text: (text) => text.replace('"body":{', '"body":{"a":1e999,') },
  "a member named __proto__": { text: (text) => text.replace('"body":{', '"body":{"__proto__":{"states":[]},') },
  "a key with a dot before a commitment": {
    text: (text) => text.replace('"body":{', `"body":{"a.b":{"commit":"${"0".repeat(64)}"},`),
  },
  "nesting as deep as it may be": { text: (text) => text.replace('"body":{', `"body":{"a":${deepText(31)},`) },
  "nesting that is too deep": { text: (text) => text.replace('"body":{', `"body":{"a":${deepText(32)},`) },
  "nesting that is far too deep": { text: (text) => text.replace('"body":{', `"body":{"a":${deepText(2_000)},`) },
  "a position that is nested too deep": { text: (text) => text.replace(/"seq":"\d+"/, `"seq":${deepText(2_000)}`) },
  "a type that is nested too deep": { text: (text) => text.replace(/"type":"\w+"/, `"type":${deepText(2_000)}`) },
  "states that are nested too deep": {
    text: (text) => text.replace('"body":{', `"body":{"states":${deepText(2_000)},`),
  },
  "words that JSON has not": { text: (text) => text.replace('"body":{', '"body":{"a":NaN,') },
};

/** What a body is made of. */
export const OF_BODIES: Readonly<Record<string, (body: JsonObject) => JsonObject>> = {
  "a type that nobody knows": (body) => ({ ...body, type: "UNKNOWN" }),
  "a type that nobody knows, and nothing else": () => ({ type: "UNKNOWN" }),
  "a type that nobody knows, with states of null": (body) => ({ ...body, type: "UNKNOWN", states: null }),
  "a type that nobody knows, with empty states": (body) => ({ ...body, type: "UNKNOWN", states: [] }),
  "a type that nobody knows, with a signature": () => ({ type: "UNKNOWN", signature: "none" }),
  "a type with the name of a property": ({ states: _, ...body }) => ({ ...body, type: "constructor" }),
  "the type of the first": (body) => ({ ...body, type: "LEDGER_CREATED" }),
  "no member": () => ({}),
  "a signature of another form": (body) => ({ ...body, signature: "none" }),
  "a signature that is null": (body) => ({ ...body, signature: null }),
  "no signature": ({ signature: _, ...body }) => body,
  "a signature of the right form": (body) => ({ ...body, signature: `e30.${"A".repeat(86)}`.replace(".", "..") }),
  "a state of an unknown kind": (body) => ({ ...body, states: [{ id: "a", kind: "DOOR", state: {}, version: 1 }] }),
  "the states twice": (body) => ({
    ...body,
    states: [...((body.states ?? []) as readonly JsonValue[]), ...((body.states ?? []) as readonly JsonValue[])],
  }),
};

export const OF_PAYLOADS: Readonly<Record<string, (payload: string) => string>> = {
  "is gone": () => "",
  "is empty": () => "{}",
  "has another value": (text) => text.replace(/"value":(.)/, '"value":[$1]').replace('["', '["x'),
  "has another salt": (text) => text.replace(/"salt":"./, '"salt":"0'),
  "has a salt that is too short": (text) => text.replace(/"salt":"../, '"salt":"'),
  "has a salt in upper case": (text) =>
    text.replace(/"salt":"[0-9a-f]{32}/, (salt) => `"salt":"${salt.slice(8).toUpperCase()}`),
  "has a path that is no commitment": (text) => text.replace("{", `{"a":{"salt":"${"0".repeat(32)}","value":1},`),
  "has a path twice": (text) =>
    text.replace(/^\{(.*?\}),?/, (all, first: string) =>
      all.endsWith(",") ? `{${first},${first},` : `{${first},${first}`,
    ),
  "has its paths in another order": (text) => text.replace(/^\{("[^{]*\{[^{}]*\}),("[^{]*\{[^{}]*\})/, "{$2,$1"),
  "has a space": (text) => text.replace(":", ": "),
  "has text behind it": (text) => `${text}}`,
  "is no JSON": () => "{",
  "is a list": () => "[]",
  "is a string": () => '"x"',
  "has a further member": (text) => text.replace('"salt":', '"a":1,"salt":'),
  "has a value that is missing": (text) => text.replace(/,"value":[^,}]*/, ""),
  "has a path of null": (text) => text.replace("{", '{"a":null,'),
};
