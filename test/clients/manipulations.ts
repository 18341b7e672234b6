import { canonicalize, type JsonObject, type JsonValue } from "../../src/facts/canonical.ts";
import { GENESIS_HASH } from "../../src/facts/entry.ts";
import { sha256Hex } from "../../src/facts/hash.ts";
import { FACT_KEY } from "../support/fact-keys.ts";
import type { Lines } from "./lines.ts";
import { type Forged, OF_BODIES, OF_PAYLOADS, OF_TEXTS } from "./manipulations.tables.ts";

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
