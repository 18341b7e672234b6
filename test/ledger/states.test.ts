import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seal, type UnsealedObject } from "../../src/facts/commitment.ts";
import type { LedgerId } from "../../src/facts/entry.ts";
import { VOCABULARY } from "../../src/facts/registry.ts";
import { callAppend, callAppendAgain, type Draft } from "../../src/ledger/appending/call.ts";
import { readDirectoryChanges } from "../../src/ledger/directory-entries.ts";
import { readStates } from "../../src/ledger/states.ts";
import { listing, note, openScene, type Scene, statesOf } from "./scene.ts";

const LEDGER = "acme/eu";
let scene: Scene;

beforeAll(async () => {
  scene = await openScene();
});

afterAll(() => scene.close());

const append = (body: UnsealedObject, ledger: LedgerId = LEDGER) => scene.ledgers.append(ledger, body);
/** The changes of the directory of `ledger` after a position: what each entry moves, and its position. */
async function read(ledger: LedgerId, after = 0n) {
  const changes = [];
  for await (const { ledger: of, entries } of readDirectoryChanges(scene.pool, [{ ledger, after }])) {
    expect(of).toBe(ledger);
    for (const { seq, body } of entries)
      changes.push(...statesOf(body as UnsealedObject).map((moved) => ({ ...moved, seq })));
  }
  return changes;
}

function draft(body: UnsealedObject): Draft {
  const id = uuidv7();
  return { id, ...seal({ ...body, id }) };
}

describe("readStates", () => {
  it("reads what the latest entry says of each, with the entries that made it and changed it last", async () => {
    const ledger = "states/eu";
    const at = (id: string, version: number, roles: readonly string[]) =>
      append(listing("PRINCIPAL", id, version, { kind: "HUMAN", suspended: false, roles }), ledger);
    const made = await at("mia", 1, []);
    const single = await at("leo", 1, ["auditor"]);
    await at("mia", 2, ["member"]);
    const latest = await at("mia", 3, ["admin"]);
    const found = await readStates(scene.pool, ledger, "PRINCIPAL", ["leo", "nobody", "mia"]);
    const byId = new Map(found.map((thing) => [thing.id, thing]));
    expect(byId.size).toBe(2);
    expect(byId.get("mia")).toMatchObject({ state: { roles: ["admin"] }, first: made, latest });
    expect(byId.get("leo")).toMatchObject({ state: { roles: ["auditor"] }, first: single, latest: single });
    expect(await readStates(scene.pool, ledger, "TOKEN", ["mia"])).toEqual([]);
    expect(await readStates(scene.pool, "elsewhere/eu", "PRINCIPAL", ["mia"])).toEqual([]);
  });

  it("takes no state from an entry that moves more than its type says", async () => {
    const ledger = "several/eu";
    const state = { kind: "HUMAN", roles: ["admin"], suspended: false };
    const states = ["a", "b"].map((id) => ({ kind: "PRINCIPAL", id, version: 1, state }));
    await append({ ...listing("PRINCIPAL", "a", 1, state), states }, ledger);
    const read = readStates(scene.pool, ledger, "PRINCIPAL", ["a"]);
    await expect(read).rejects.toMatchObject({ code: "LEDGER_CORRUPT", ledger });
  });
});

describe("readDirectoryChanges", () => {
  it("reads every change of a ledger that has more than one statement reads, once and in order", async () => {
    const count = { "large/eu": 600, "small/eu": 250 };
    for (const [ledger, all] of Object.entries(count) as [LedgerId, number][]) {
      const ids = Array.from({ length: all }, (_, n) => `issuer ${n}`);
      await Promise.all(ids.map((id) => append(listing("TOKEN", id, 1, { revoked: true }), ledger)));
    }
    const since = [...Object.keys(count), "none/eu"].map((ledger) => ({ ledger: ledger as LedgerId, after: 0n }));
    const positions = new Map<LedgerId, bigint[]>();
    for await (const { ledger, entries, upTo } of readDirectoryChanges(scene.pool, since)) {
      positions.set(ledger, [...(positions.get(ledger) ?? []), ...entries.map(({ seq }) => seq)]);
      expect(upTo).toBe(positions.get(ledger)?.at(-1));
    }
    // The first entry of a ledger is not of its directory.
    const expected = Object.entries(count).map(([ledger, all]) => [
      ledger,
      Array.from({ length: all }, (_, n) => BigInt(n + 2)),
    ]);
    expect(Object.fromEntries(positions)).toEqual(Object.fromEntries(expected));
  });

  it("returns what changed after a position, and up to where it read", async () => {
    const ledger = "read/eu";
    expect(await read(ledger)).toEqual([]);
    const state = { kind: "AGENT", owner: "member", roles: ["agent"], suspended: false };
    const made = await append(listing("PRINCIPAL", "agent-7", 1, state), ledger);
    const token = await append(listing("TOKEN", "https://issuer.example 4711", 1, { revoked: true }), ledger);
    const other = await append(note("something else"), ledger);
    const changed = await append(listing("PRINCIPAL", "agent-7", 2, { ...state, suspended: true }), ledger);
    const rows = [
      { kind: "PRINCIPAL", id: "agent-7", version: 1, state, seq: made.seq },
      { kind: "TOKEN", id: "https://issuer.example 4711", version: 1, state: { revoked: true }, seq: token.seq },
      { kind: "PRINCIPAL", id: "agent-7", version: 2, state: { ...state, suspended: true }, seq: changed.seq },
    ];
    expect(await read(ledger)).toEqual(rows);
    expect(await read(ledger, other.seq)).toEqual(rows.slice(2));
    expect(await read(ledger, changed.seq)).toEqual([]);
    expect(await read("elsewhere/eu")).toEqual([]);
    const last = await append(note("last"), ledger);
    const { value } = await readDirectoryChanges(scene.pool, [{ ledger, after: changed.seq }]).next();
    expect(value).toEqual({ ledger, upTo: last.seq, entries: [] });
  });

  it("finds every type of entry that moves something of a directory, by its index", async () => {
    const { rows } = await scene.pool.query<{ predicate: string }>(
      "SELECT pg_get_expr(indpred, indrelid) AS predicate FROM pg_index WHERE indexrelid = 'oc_audit_log_directory'::regclass",
    );
    const types = [...VOCABULARY.facts.values()].filter(({ moves, mayMove }) =>
      ["PRINCIPAL", "TOKEN", "SETUP", "ORGANIZATION", "POLICY", "DELEGATION", "CHANNEL", "ACCOUNT", "HOME_COPY"].some(
        (kind) => kind in moves || kind in mayMove,
      ),
    );
    expect([...(rows[0]?.predicate ?? "").matchAll(/'([A-Z_]+)'/g)].map(([, type]) => type).sort()).toEqual(
      types.map(({ type }) => type).sort(),
    );
  });
});

describe("a thing of the directory", () => {
  it("moves one version at a time; of two drafts of one batch the first wins, the other is refused alone", async () => {
    const at = (version: number, by: string) => listing("PRINCIPAL", "p", version, { by });
    await expect(append(at(2, "early"))).rejects.toMatchObject({ code: "MOVED", kind: "PRINCIPAL" });
    await append(at(1, "first"));
    await expect(append(at(1, "again"))).rejects.toMatchObject({ code: "MOVED", kind: "PRINCIPAL" });
    const drafts = [at(2, "a"), at(2, "b"), note("bystander"), listing("TOKEN", "p", 1, {}), at(3, "c")].map(draft);
    const outcomes = await callAppend(scene.pool, LEDGER, drafts);
    expect(outcomes.map(({ refusal }) => refusal)).toEqual([undefined, "PRINCIPAL", undefined, undefined, undefined]);
    const { rows } = await scene.pool.query("SELECT kind, version, state FROM oc_state WHERE id = 'p' ORDER BY kind");
    expect(rows).toEqual([
      { kind: "PRINCIPAL", version: 3, state: { by: "c" } },
      { kind: "TOKEN", version: 1, state: {} },
    ]);
  });

  it("is judged the same on a retry, where what is recorded already is found", async () => {
    const head = (await append(note("before"))).seq;
    const at = (version: number) => draft(listing("PRINCIPAL", "retried", version, { version }));
    const [first, second, rival] = [at(1), at(2), at(2)];
    const [recorded] = await callAppend(scene.pool, LEDGER, [first]);
    const outcomes = await callAppendAgain(scene.pool, LEDGER, [first, second, rival], head, uuidv7());
    expect(outcomes[0]).toEqual(recorded);
    expect(outcomes.map(({ refusal }) => refusal)).toEqual([undefined, undefined, "PRINCIPAL"]);
  });

  it("is named by at most 400 characters of any script", async () => {
    const id = `${"ü".repeat(399)}字`;
    await append(listing("TOKEN", id, 1, {}));
    expect((await read(LEDGER)).at(-1)).toMatchObject({ kind: "TOKEN", id });
  });

  it.each<readonly [string, UnsealedObject]>([
    ["no kind", { id: "x", state: {}, version: 1 }],
    ["a kind in small letters", { id: "x", kind: "token", state: {}, version: 1 }],
    ["no id", { kind: "TOKEN", state: {}, version: 1 }],
    ["an empty id", { id: "", kind: "TOKEN", state: {}, version: 1 }],
    ["an id of 401 characters", { id: "x".repeat(401), kind: "TOKEN", state: {}, version: 1 }],
    ["no version", { id: "x", kind: "TOKEN", state: {} }],
    ["a version that is text", { id: "x", kind: "TOKEN", state: {}, version: "1" }],
    ["no state", { id: "x", kind: "TOKEN", version: 1 }],
    ["a state that is a list", { id: "x", kind: "TOKEN", state: [], version: 1 }],
  ])("is malformed with %s", async (_, state) => {
    const malformed = { ...note("x"), states: [state] };
    await expect(callAppend(scene.pool, LEDGER, [draft(malformed)])).rejects.toMatchObject({
      code: expect.stringMatching(/^(OC003|23502|23514)$/),
    });
    const results = await Promise.allSettled([append(note("before")), append(malformed), append(note("after"))]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(results[1]).toMatchObject({ reason: { code: "DRAFT_REJECTED" } });
  });

  it.each(["RECORDED", "LATE", "TOKEN ", "A:B", "A B", "token", ""])(
    "with the kind %o and another version is never taken for recorded, late or another draft's",
    async (kind) => {
      const ledger: LedgerId = "kinds/eu";
      await scene.ledgers.ensure(ledger);
      const odd = { ...note("odd"), states: [{ id: "x", kind, state: {}, version: 7 }] };
      const results = await Promise.allSettled(
        [note("before"), odd, note("after")].map((body) => append(body, ledger)),
      );
      expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
      const reason = kind === "RECORDED" ? { code: "MOVED", kind } : { code: "DRAFT_REJECTED" };
      expect(results[1]).toMatchObject({ reason });
    },
  );

  it("is malformed when it is no object at all", async () => {
    const malformed = draft({ ...note("x"), states: "PRINCIPAL" });
    await expect(callAppend(scene.pool, LEDGER, [malformed])).rejects.toMatchObject({ code: "OC003" });
  });

  it("cannot be changed by the server's role", async () => {
    for (const sql of ["UPDATE oc_state SET version = 1", "DELETE FROM oc_state", "TRUNCATE oc_state"]) {
      await expect(scene.pool.query(sql)).rejects.toMatchObject({ code: "42501" });
    }
  });
});
