import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { UnsealedObject } from "../../src/facts/commitment.ts";
import type { LedgerEntry, LedgerId } from "../../src/facts/entry.ts";
import { Erasable } from "../../src/facts/erasable.ts";
import { type EntryFilter, searchEntries } from "../../src/ledger/search.ts";
import { actionState, newId, note, openScene, type Scene, sessionStep, statesOf } from "./scene.ts";

const LEDGER = "acme/eu";
let scene: Scene;

beforeAll(async () => {
  scene = await openScene();
});

afterAll(() => scene.close());

const append = (body: UnsealedObject, ledger: LedgerId = LEDGER) => scene.ledgers.append(ledger, body);

async function find(filter: EntryFilter, ledger: LedgerId = LEDGER): Promise<string[]> {
  const found = await searchEntries(scene.pool, ledger, filter, { limit: 100 });
  return found.map((entry) => `${entry.type} ${entry.seq}`);
}
const named = (...entries: readonly LedgerEntry[]) => entries.map((entry) => `${entry.type} ${entry.seq}`);

function by(id: string, profile?: UnsealedObject): UnsealedObject {
  const actor = { id, kind: "HUMAN", roles: [], groups: [] };
  return { type: "BY", actor: profile === undefined ? actor : { ...actor, profile: new Erasable(profile as never) } };
}

describe("searchEntries by what is recorded in columns", () => {
  it("finds by actor, session, platform, tool and effect, and by several at once", async () => {
    const session = newId();
    const step = { platform: "crm", tool: "find_customer", effect: "READ", session };
    const read = await append({ ...by("agent-7"), ...step, states: statesOf(sessionStep(session, 1)) });
    const write = await append({ ...by("agent-7"), ...step, tool: "send_mail", platform: "mail", effect: "WRITE" });
    expect(await find({ actorId: "agent-7" })).toEqual(named(read, write));
    expect(await find({ sessionId: session })).toEqual(named(read, write));
    expect(await find({ sessionId: session.toUpperCase(), platform: "mail" })).toEqual(named(write));
    expect(await find({ tool: "find_customer" })).toEqual(named(read));
    expect(await find({ actorId: "agent-7", effect: "WRITE" })).toEqual(named(write));
    expect(await find({ actorId: "agent-7", effect: "WRITE", tool: "find_customer" })).toEqual([]);
    expect(await find({ actorId: "agent-7" }, "other/eu")).toEqual([]);
  });

  it("finds by the person acted for, who is not the actor", async () => {
    const self = await append(by("person-9"));
    const agent = await append({ ...by("agent-9"), onBehalfOf: { id: "person-9", roles: [] } });
    await append({ ...by("agent-9"), onBehalfOf: { id: "person-10", roles: [] } });
    expect(await find({ onBehalfOfId: "person-9" })).toEqual(named(agent));
    expect(await find({ actorId: "person-9" })).toEqual(named(self));
    expect(await find({ actorId: "agent-9", onBehalfOfId: "person-9" })).toEqual(named(agent));
  });

  it("finds by chain and by source chain", async () => {
    const [source, target] = [newId(), newId()];
    const first = await append({ ...by("c"), chain: source });
    const second = await append({ ...by("c"), chain: target, sourceChain: source });
    expect(await find({ chainHash: source })).toEqual(named(first));
    expect(await find({ sourceChainHash: source })).toEqual(named(second));
    expect(await find({ chainHash: target, sourceChainHash: source })).toEqual(named(second));
  });

  it("finds by any of several types; by none, nothing", async () => {
    const a = await append({ ...by("t"), type: "ONE_TYPE" });
    const b = await append({ ...by("t"), type: "OTHER_TYPE" });
    expect(await find({ types: ["ONE_TYPE", "OTHER_TYPE", "NO_TYPE"] })).toEqual(named(a, b));
    expect(await find({ types: ["OTHER_TYPE"] })).toEqual(named(b));
    expect(await find({ types: [] })).toEqual([]);
  });

  it("finds what changed an action, and attempts that did not", async () => {
    const [id, other] = [newId(), newId()];
    const proposed = await append({ ...by("a"), type: "PROPOSED", ...actionState(id, 1, "PENDING") });
    await append({ ...by("a"), type: "PROPOSED", ...actionState(other, 1, "PENDING") });
    const refused = await append({ ...by("a"), type: "REFUSED", action: id });
    const approved = await append({ ...by("a"), type: "APPROVED", ...actionState(id, 2, "APPROVED") });
    expect(await find({ actionId: id })).toEqual(named(proposed, refused, approved));
    expect(await find({ actionId: id, types: ["REFUSED"] })).toEqual(named(refused));
    expect(await find({ actionId: newId() })).toEqual([]);
  });

  it("finds by time, both ends included, to the microsecond", async () => {
    const entry = await append({ ...by("time"), type: "TIMED" });
    const at = entry.recordedAt;
    const shifted = (microseconds: number) => {
      const [, whole = "", fraction = ""] = /^(.*)\.(\d{6})Z$/.exec(at) ?? [];
      return `${whole}.${String(Number(fraction) + microseconds).padStart(6, "0")}Z`;
    };
    const types = ["TIMED"];
    expect(await find({ types, recordedFrom: at, recordedTo: at })).toEqual(named(entry));
    expect(await find({ types, recordedFrom: shifted(1) })).toEqual([]);
    expect(await find({ types, recordedTo: shifted(-1) })).toEqual([]);
    expect(
      await find({ types, recordedFrom: "0000-01-01T00:00:00Z", recordedTo: "9999-12-31T23:59:59.999999Z" }),
    ).toEqual(named(entry));
  });

  it("finds nothing, and does not fail, for what cannot have been recorded", async () => {
    const impossible: EntryFilter[] = [
      { actionId: "1" },
      { sessionId: "" },
      { chainHash: "not a uuid" },
      { actorId: "nul\0" },
      { tool: "\ud800" },
      { types: ["\0"] },
      { actorEmail: "\0" },
      { contains: { a: "\ud800" } },
    ];
    for (const filter of impossible) expect(await find(filter)).toEqual([]);
  });

  it("takes values as values", async () => {
    for (const hostile of ["' OR true --", "$1", "%", "_", "\\", "__proto__"]) {
      expect(await find({ actorId: hostile })).toEqual([]);
      const entry = await append(by(hostile));
      expect(await find({ actorId: hostile })).toEqual(named(entry));
    }
  });
});

describe("searchEntries by erasable values", () => {
  it("finds the address of the actor, or of whom they acted for, in any case, and nobody else's", async () => {
    const mine = await append(by("m", { displayName: "Émile", email: "Émile.Z@Example.com" }));
    await append(by("o", { displayName: "émile.z@example.com", email: "other@example.com" }));
    const profile = new Erasable({ email: "émile.z@example.com" });
    const forMe = await append({ ...by("p", { email: "p@example.com" }), onBehalfOf: { id: "m", profile } });
    await append({ ...by("q"), arguments: new Erasable({ email: "émile.z@example.com" }) });
    expect(await find({ actorEmail: "émile.z@EXAMPLE.com" })).toEqual(named(mine, forMe));
    expect(await find({ actorEmail: "émile.z@example.com", actorId: "m" })).toEqual(named(mine));
    expect(await find({ actorEmail: "mile.z@example.com" })).toEqual([]);
  });

  it("finds words anywhere in body and values, in any case, all of them", async () => {
    const entry = await append({
      ...by("words"),
      platform: "Reservations",
      arguments: new Erasable({ passenger: { name: "Łukasz ÅNGSTRÖM", note: 'said "now"\\later\nand\tagain' } }),
      result: new Erasable([12345, { "ключ слово": "snow \u2603 man" }]),
    });
    const hits = [
      "reservations łukasz",
      "ångström",
      "Ångström RESERVATIONS",
      "12345",
      "ключ",
      "☃ snow",
      "passenger",
      'said "now"\\',
    ];
    for (const text of hits) expect([text, await find({ text, actorId: "words" })]).toEqual([text, named(entry)]);
    for (const text of ["reservations nowhere", "łukaszx", "54321", 'now"x']) {
      expect([text, await find({ text, actorId: "words" })]).toEqual([text, []]);
    }
    expect(await find({ text: " \n ", actorId: "words" })).toEqual(named(entry));
  });

  it("takes LIKE's metacharacters and JSON's as themselves", async () => {
    const percent = await append(note("a 100% discount", { actor: { id: "meta" } }));
    const underscore = await append(note("snake_case", { actor: { id: "meta" } }));
    const backslash = await append(note("C:\\new", { actor: { id: "meta" } }));
    expect(await find({ text: "%", actorId: "meta" })).toEqual(named(percent));
    expect(await find({ text: "e_c", actorId: "meta" })).toEqual(named(underscore));
    expect(await find({ text: "C:\\new", actorId: "meta" })).toEqual(named(backslash));
    expect(await find({ text: "10%", actorId: "meta" })).toEqual([]);
  });

  it("does not take the format's own words, salts and commitments for facts", async () => {
    const entry = await append(note("plain", { actor: { id: "syntax" } }));
    const { commit } = entry.body.text as { commit: string };
    const salt = entry.payload?.text?.salt ?? "";
    for (const text of ["salt", "value", "commit", "prevhash", "actor", commit, salt, entry.prevHash]) {
      expect([text, await find({ text, actorId: "syntax" })]).toEqual([text, []]);
    }
  });

  it("finds JSON fragments in arguments and in results, nowhere else", async () => {
    const actor = { id: "json" };
    const first = await append({
      type: "J",
      actor,
      arguments: new Erasable({ to: ["a", "b"], n: 1.5, deep: { x: null } }),
    });
    const second = await append({ type: "J", actor, result: new Erasable({ to: ["b"], ok: true }) });
    await append({ type: "J", actor, rationale: new Erasable({ to: ["b"] }) });
    const finds = (contains: EntryFilter["contains"]) => find({ contains, actorId: "json" });
    expect(await finds({ to: ["b"] })).toEqual(named(first, second));
    expect(await finds({ to: ["b", "a"] })).toEqual(named(first));
    expect(await finds({ deep: { x: null } })).toEqual(named(first));
    expect(await finds({ n: 1.5 })).toEqual(named(first));
    expect(await finds({ ok: true })).toEqual(named(second));
    expect(await finds({})).toEqual(named(first, second));
    expect(await finds({ to: "b" })).toEqual([]);
    expect(await finds("to")).toEqual([]);
  });

  it("goes on where a value holds NUL, which jsonb refuses, and finds that value too", async () => {
    const actor = { id: "nul" };
    const value = { text: "a\0\0b", literal: "\\u0000", "k\0": 1, path: "C:\\\0" };
    const odd = await append({ type: "N", actor, arguments: new Erasable(value), text: new Erasable("nul needle") });
    const even = await append({ type: "N", actor, arguments: new Erasable({ text: "ab" }) });
    const finds = (filter: EntryFilter) => find({ ...filter, actorId: "nul" });
    expect(await finds({ contains: {} })).toEqual(named(odd, even));
    expect(await finds({ contains: { text: "ab" } })).toEqual(named(even));
    expect(await finds({ contains: { text: "a\0\0b" } })).toEqual(named(odd));
    expect(await finds({ contains: { literal: "\\u0000" } })).toEqual(named(odd));
    expect(await finds({ contains: { "k\0": 1, path: "C:\\\0" } })).toEqual(named(odd));
    expect(await finds({ contains: { text: "a\0b" } })).toEqual([]);
    expect(await finds({ text: "needle" })).toEqual(named(odd));
    expect(await finds({ text: "a\0\0b" })).toEqual(named(odd));
    expect(await finds({ actorEmail: "nobody@example.com" })).toEqual([]);
  });
});

describe("searchEntries in pages", () => {
  it("walks both ways by position, each match once", async () => {
    const ledger = "pages/eu";
    const all: bigint[] = [];
    for (let n = 0; n < 7; n++) {
      all.push((await append({ ...by("pager"), tool: "page" }, ledger)).seq);
      await append(by("noise"), ledger);
    }
    for (const newestFirst of [false, true]) {
      const seen: bigint[] = [];
      for (let from: bigint | undefined; ; ) {
        const page = { limit: 3, newestFirst, ...(newestFirst ? { before: from } : { after: from }) };
        const entries = await searchEntries(scene.pool, ledger, { tool: "page" }, page);
        seen.push(...entries.map((entry) => entry.seq));
        if (entries.length < 3) break;
        from = entries.at(-1)?.seq;
      }
      expect(seen).toEqual(newestFirst ? all.toReversed() : all);
    }
  });
});
