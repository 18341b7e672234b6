import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seal, type UnsealedObject } from "../../src/facts/commitment.ts";
import type { LedgerId } from "../../src/facts/entry.ts";
import { callAppend, callAppendAgain, type Draft } from "../../src/ledger/append-call.ts";
import { loadStates, readDirectoryStatesSince, readStates } from "../../src/ledger/states.ts";
import { listing, note, openScene, type Scene } from "./scene.ts";

const LEDGER = "acme/eu";
let scene: Scene;

beforeAll(async () => {
  scene = await openScene();
});

afterAll(() => scene.close());

const append = (body: UnsealedObject, ledger: LedgerId = LEDGER) => scene.ledgers.append(ledger, body);
const read = async (ledger: LedgerId, after = 0n) =>
  (await readDirectoryStatesSince(scene.pool, [{ ledger, after }])).map(({ ledger: of, ...row }) => {
    expect(of).toBe(ledger);
    return row;
  });

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

  it("of several things that one entry moves reads each by its own id, and leaves out what has no entry", async () => {
    const ledger = "several/eu";
    const ids = ["a", "b", "c"];
    const { seq } = await append(
      {
        ...note("several", { actor: { id: "tester", kind: "HUMAN", roles: [], groups: [] } }),
        states: ids.map((id) => ({ kind: "TOKEN", id, version: 1, state: { revoked: true, id } })),
      },
      ledger,
    );
    const found = await readStates(scene.pool, ledger, "TOKEN", ids);
    expect(found.map(({ id, state }) => [id, state]).sort()).toEqual(ids.map((id) => [id, { revoked: true, id }]));
    const row = (id: string, first: bigint) => ({ id, first_seq: String(first), updated_seq: String(seq) });
    const rows = [row("c", seq), row("gone", seq), row("b", seq + 7n), row("a", seq)];
    expect((await loadStates(scene.pool, ledger, "TOKEN", rows)).map(({ id }) => id)).toEqual(["c", "a"]);
  });
});

describe("readDirectoryStatesSince", () => {
  it("reads every change of a ledger that has more than one statement reads, once and in order", async () => {
    await scene.asSuperuser(`
      INSERT INTO oc_state (ledger, kind, id, version, state, conversation, first_seq, updated_seq, entries, hash)
      SELECT ledger, 'TOKEN', 'issuer ' || n, 1, '{"revoked":true}', '', n, n, ARRAY[n], ''
        FROM generate_series(1, 2500) n, (VALUES ('large/eu'), ('small/eu')) AS l(ledger)
       WHERE ledger = 'large/eu' OR n <= 1000`);
    const since = (["large/eu", "small/eu", "none/eu"] as const).map((ledger) => ({ ledger, after: 0n }));
    const changes = await readDirectoryStatesSince(scene.pool, since);
    for (const [ledger, count] of [
      ["large/eu", 2500],
      ["small/eu", 1000],
      ["none/eu", 0],
    ] as const) {
      const positions = changes.flatMap((change) => (change.ledger === ledger ? [Number(change.updatedSeq)] : []));
      expect(positions).toEqual(Array.from({ length: count }, (_, n) => n + 1));
    }
  });

  it("returns what changed after a position, each state once, in the order of changes", async () => {
    const ledger = "read/eu";
    expect(await read(ledger)).toEqual([]);
    const state = { kind: "AGENT", owner: "member", roles: ["agent"], suspended: false };
    await append(listing("PRINCIPAL", "agent-7", 1, state), ledger);
    const token = await append(listing("TOKEN", "https://issuer.example 4711", 1, { revoked: true }), ledger);
    await append(note("something else"), ledger);
    const changed = await append(listing("PRINCIPAL", "agent-7", 2, { ...state, suspended: true }), ledger);
    const rows = [
      { kind: "TOKEN", id: "https://issuer.example 4711", version: 1, state: { revoked: true }, updatedSeq: token.seq },
      { kind: "PRINCIPAL", id: "agent-7", version: 2, state: { ...state, suspended: true }, updatedSeq: changed.seq },
    ];
    expect(await read(ledger)).toEqual(rows);
    expect(await read(ledger, token.seq)).toEqual(rows.slice(1));
    expect(await read(ledger, changed.seq)).toEqual([]);
    expect(await read("elsewhere/eu")).toEqual([]);
  });

  it("is served by an index", async () => {
    const { rows } = await scene.pool.query(
      `EXPLAIN SELECT kind FROM oc_state WHERE kind IN ('PRINCIPAL', 'TOKEN', 'SETUP') AND ledger = 'read/eu' AND updated_seq > 100
        ORDER BY updated_seq`,
    );
    expect(JSON.stringify(rows)).toContain("oc_state_directory");
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
    const stored = (await read(LEDGER)).filter(({ id }) => id === "p");
    expect(stored).toMatchObject([
      { kind: "TOKEN", version: 1, state: {} },
      { kind: "PRINCIPAL", version: 3, state: { by: "c" } },
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
