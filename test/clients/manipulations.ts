import { canonicalize, type JsonObject, type JsonValue } from "../../src/facts/canonical.ts";
import { GENESIS_HASH } from "../../src/facts/entry.ts";
import { sha256Hex } from "../../src/facts/hash.ts";
import { FACT_KEY } from "../support/fact-keys.ts";
import type { Lines } from "./lines.ts";

/** An entry as it is before it has a place, with the text of its payload or "". */
export interface Draft {
  readonly body: JsonObject;
  readonly recordedAt: string;
  readonly payload: string;
}

export const LEDGER = "vectors/eu-1";

export interface Manipulated extends Lines {
  readonly name: string;
}

/** Members of entries beside the body that are others than they should be, and the text after it was written. */
interface Forged {
  readonly outer?: (entry: JsonObject) => JsonObject;
  readonly text?: (text: string) => string | Buffer;
}

/** The lines of a ledger: links are made anew, and signatures where there is one. `forged` has what is done to an entry, by place. */
export function linesOf(drafts: readonly Draft[], forged: Readonly<Record<number, Forged>> = {}): Lines {
  const [entries, payloads]: [Buffer[], Buffer[]] = [[], []];
  let prevHash = GENESIS_HASH;
  for (const [at, { body, recordedAt, payload }] of drafts.entries()) {
    const seq = String(at + 1);
    const { outer = (entry: JsonObject) => entry, text = (written: string) => written } = forged[at] ?? {};
    const written = canonicalize(outer({ body: signedAnew(body), ledger: LEDGER, prevHash, recordedAt, seq, v: 1 }));
    const line = text(written);
    entries.push(Buffer.from(line));
    prevHash = sha256Hex(line.toString());
    if (payload !== "") payloads.push(Buffer.from(`${seq} ${payload}`));
  }
  return { entries, payloads };
}

function signedAnew(body: JsonObject): JsonObject {
  const { signature, ...unsigned } = body;
  if (typeof signature !== "string" || !signature.includes("..")) return body;
  return { ...unsigned, signature: FACT_KEY.sign(LEDGER, canonicalize(unsigned)) };
}

type Path = readonly (string | number)[];

/** The paths of all members of a body, and of those in them. */
function pathsOf(value: JsonValue | undefined, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  const below = Array.isArray(value)
    ? value.flatMap((item: JsonValue, at) => pathsOf(item, [...path, at]))
    : Object.entries(value).flatMap(([name, member]) => pathsOf(member, [...path, name]));
  return path.length === 0 ? below : [path, ...below];
}

const GONE: unique symbol = Symbol("gone");

function at(value: JsonValue | undefined, path: Path): JsonValue | undefined {
  return path.reduce<JsonValue | undefined>((in_, key) => (in_ as JsonObject | undefined)?.[key as string], value);
}

/** `value` with another one at a path. */
function put(value: JsonValue, [key, ...rest]: Path, other: JsonValue | typeof GONE): JsonValue {
  if (key === undefined) return other as JsonValue;
  if (Array.isArray(value)) {
    const list = value as readonly JsonValue[];
    if (rest.length === 0 && other === GONE) return list.toSpliced(Number(key), 1);
    return list.with(Number(key), put(list[Number(key)] ?? null, rest, other));
  }
  const { [key]: member, ...others } = value as JsonObject;
  if (rest.length === 0 && other === GONE) return others as JsonObject;
  return { ...others, [key]: put(member ?? null, rest, other) } as JsonObject;
}

/** What a member is changed to. */
function changesOf(value: JsonValue | undefined): readonly (JsonValue | typeof GONE)[] {
  const any: readonly (JsonValue | typeof GONE)[] = [
    GONE,
    null,
    true,
    7,
    "x",
    {},
    [],
    { commit: "0".repeat(64) },
    { extra: 1 },
  ];
  if (typeof value === "string")
    return [...any, `${value}x`, "", value.toUpperCase(), "HUMAN", "2026-01-01T00:00:00.000000Z"];
  if (typeof value === "number") return [...any, value + 1, 0, -1, 2 ** 31];
  if (Array.isArray(value)) return [...any, [...value, ...value], [null], [{}]] as readonly (JsonValue | typeof GONE)[];
  return [...any, { ...(value as JsonObject), extra: {} }];
}

/** Every member of every entry, changed in `each` ways of those that there are: others for each member. */
export function* ofMembers(drafts: readonly Draft[], each: number): Generator<Manipulated> {
  let turn = 0;
  for (const [index, draft] of drafts.entries()) {
    // Of types that nobody knows, members are all alike.
    const most = draft.body.type === "NOTE" ? 6 : Number.POSITIVE_INFINITY;
    for (const path of pathsOf(draft.body).slice(0, most)) {
      const before = at(draft.body, path);
      const alike = drafts.map(({ body }) => at(body, path)).filter((one) => one !== undefined && one !== before);
      const changes = [...changesOf(before), ...alike.slice(0, 4)].filter((change) => change !== before);
      for (let n = 0; n < each; n += 1) {
        const change = changes[turn % changes.length] as JsonValue | typeof GONE;
        turn += 5;
        const body = put(draft.body, path, change) as JsonObject;
        const name = `${path.join(".")} of entry ${index + 1} is ${change === GONE ? "gone" : JSON.stringify(change)}`;
        // With those after it that say the same things.
        yield { name, ...linesOf(drafts.with(index, { ...draft, body }).slice(0, index + 4)) };
      }
    }
  }
}

const deepText = (depth: number) => `${'{"a":['.repeat(depth)}{"commit":"${"0".repeat(64)}"}${"]}".repeat(depth)}`;

/** Members of an entry beside its body, and its text. */
const OF_TEXTS: Readonly<Record<string, Forged>> = {
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
const OF_BODIES: Readonly<Record<string, (body: JsonObject) => JsonObject>> = {
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

const OF_PAYLOADS: Readonly<Record<string, (payload: string) => string>> = {
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

/** Entries by themselves, their texts, bodies and payloads, at some places each. */
export function* ofEntries(drafts: readonly Draft[], places: readonly number[]): Generator<Manipulated> {
  for (const place of places) {
    const draft = drafts[place];
    if (draft === undefined) continue;
    const of = (name: string) => `entry ${place + 1} has ${name}`;
    for (const [name, forged] of Object.entries(OF_TEXTS))
      yield { name: of(name), ...linesOf(drafts, { [place]: forged }) };
    for (const [name, change] of Object.entries(OF_BODIES)) {
      yield { name: of(name), ...linesOf(drafts.with(place, { ...draft, body: change(draft.body) })) };
    }
    const id = drafts[0]?.body.id;
    yield {
      name: of("an id that another has"),
      ...linesOf(drafts.with(place, { ...draft, body: { ...draft.body, id } })),
    };
  }
  for (const [place, draft] of drafts.entries()) {
    if (draft.payload === "") continue;
    for (const [name, change] of Object.entries(OF_PAYLOADS)) {
      const payload = change(draft.payload);
      yield {
        name: `the payload of entry ${place + 1} ${name}`,
        ...linesOf(drafts.with(place, { ...draft, payload })),
      };
    }
  }
}

/** Entries as they follow each other: removed, moved, repeated, with and without new places. */
export function* ofOrder(drafts: readonly Draft[]): Generator<Manipulated> {
  const { entries, payloads } = linesOf(drafts);
  yield { name: "nothing was changed", entries, payloads };
  yield { name: "every entry removed", entries: [], payloads: [] };
  yield { name: "every entry removed, but not their payloads", entries: [], payloads };
  for (const [place, line] of entries.entries()) {
    const name = `entry ${place + 1}`;
    const moved = entries.toSpliced(place, 1);
    yield { name: `${name} removed`, entries: moved, payloads };
    yield { name: `${name} removed, and all after it moved up`, ...linesOf(drafts.toSpliced(place, 1)) };
    yield { name: `${name} twice`, entries: entries.toSpliced(place, 0, line), payloads };
    yield { name: `${name} at the end of the file`, entries: [...moved, line], payloads };
    yield { name: `${name} repeated at the end`, ...linesOf([...drafts, drafts[place] as Draft]) };
    yield {
      name: `${name} before the one before`,
      ...linesOf(drafts.toSpliced(place, 1).toSpliced(Math.max(0, place - 1), 0, drafts[place] as Draft)),
    };
    yield { name: `a payload beyond ${name}`, entries: entries.slice(0, place + 1), payloads };
    const fork = Buffer.from(line.toString().replace(/"id":"0/, '"id":"1'));
    yield { name: `${name} and another at its place`, entries: entries.toSpliced(place + 1, 0, fork), payloads };
  }
}
