import type { Pool } from "pg";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPool } from "../../src/db/pool.ts";
import { seal, type UnsealedObject } from "../../src/facts/commitment.ts";
import { GENESIS_HASH, type LedgerEntry } from "../../src/facts/entry.ts";
import { Erasable } from "../../src/facts/erasable.ts";
import { sha256Hex } from "../../src/facts/hash.ts";
import { callAppend } from "../../src/ledger/appending/call.ts";
import { AppendQueue } from "../../src/ledger/appending/queue.ts";
import type { Ledgers } from "../../src/ledger/ledger.ts";
import { createLedgers } from "../support/ledgers.ts";
import { silent } from "../support/log.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { startProxy } from "../support/proxy.ts";

let database: TestDatabase;
let pool: Pool;
let ledgers: Ledgers;
const batches: number[] = [];

function open(url: string): Pool {
  return createPool({ connectionString: url, max: 4, applicationName: "append-test", log: silent });
}

beforeAll(async () => {
  database = await createTestDatabase();
  pool = open(database.appUrl);
  ledgers = createLedgers({ pool, capacity: 2_000, onBatch: (_ledger, size) => batches.push(size) });
});

afterAll(async () => {
  await ledgers.close();
  await pool.end();
  await database.drop();
});

const note = (text: string): UnsealedObject => ({
  type: "NOTE",
  actor: { id: "tester", kind: "HUMAN", profile: new Erasable({ email: "tester@example.com" }) },
  text: new Erasable(text),
});

function actionEntry(id: string, version: number, status: string): UnsealedObject {
  return {
    type: "ACTION_TEST",
    actor: { id: "tester" },
    action: id,
    states: [{ id, kind: "ACTION", state: { approvals: 0, status }, version }],
  };
}

function expectChained(entries: readonly LedgerEntry[]): void {
  for (const [index, entry] of entries.entries()) {
    expect(sha256Hex(entry.entry)).toBe(entry.hash);
    if (index > 0) {
      expect(entry.seq).toBe((entries[index - 1] as LedgerEntry).seq + 1n);
      expect(entry.prevHash).toBe((entries[index - 1] as LedgerEntry).hash);
    }
  }
}

const stored = async (ledger: string) =>
  (
    await pool.query<{ seq: string; entry: string; hash: string; prev: string; type: string; recorded: string }>(
      `SELECT seq, entry, encode(hash, 'hex') AS hash, encode(prev_hash, 'hex') AS prev, type FROM oc_audit_log
        WHERE ledger = $1 ORDER BY seq`,
      [ledger],
    )
  ).rows;

describe("append", () => {
  it("begins no ledger at all when its first entry is refused", async () => {
    const body = (more: string) => `{"id":"018f0000-0000-7000-8000-000000000000",${more}"type":"LEDGER_CREATED"}`;
    const create = (more: string) =>
      pool.query("SELECT FROM oc_ledger_create('hollow/eu', $1)", [body(more)]).then(() => "", String);
    const id = "018f0000-0000-7000-8000-000000000001";
    for (const version of [0, 2]) {
      const more = `"states":[{"id":"${id}","kind":"ACTION","state":{},"version":${version}}],`;
      expect(await create(more)).toMatch(/depends on nothing before it/);
    }
    const { rows } = await pool.query("SELECT FROM oc_ledger_head WHERE ledger = 'hollow/eu'");
    expect(rows).toEqual([]);
  });

  it("begins a ledger with LEDGER_CREATED behind 64 zeros", async () => {
    await ledgers.ensure("first/eu");
    const [genesis] = await stored("first/eu");
    expect(genesis).toMatchObject({ seq: "1", type: "LEDGER_CREATED", prev: GENESIS_HASH });
  });

  it("chains concurrent entries without a gap, in few transactions, and returns what is stored", async () => {
    batches.length = 0;
    const entries = await Promise.all(Array.from({ length: 300 }, (_, n) => ledgers.append("many/eu", note(`n ${n}`))));
    entries.sort((a, b) => Number(a.seq - b.seq));
    expect(entries[0]?.seq).toBe(2n);
    expectChained(entries);
    expect(batches.length).toBeLessThan(10);
    const rows = await stored("many/eu");
    expect(rows.slice(1).map((row) => row.entry)).toEqual(entries.map((entry) => entry.entry));
    expect(rows.slice(1).map((row) => row.hash)).toEqual(entries.map((entry) => entry.hash));
  });

  it("keeps one order over several processes that share a ledger", async () => {
    const pools = [open(database.appUrl), open(database.appUrl), open(database.appUrl)];
    const writers = pools.map((each) => createLedgers({ pool: each, capacity: 1_000 }));
    const entries = (
      await Promise.all(
        writers.flatMap((writer, w) =>
          Array.from({ length: 60 }, (_, n) => writer.append("shared/eu", note(`${w} ${n}`))),
        ),
      )
    ).sort((a, b) => Number(a.seq - b.seq));
    expectChained(entries);
    expect(entries.length).toBe(180);
    for (const each of pools) await each.end();
  });

  it("keeps erasable values out of the hashed bytes and beside them", async () => {
    const entry = await ledgers.append("erasable/eu", note("my bank card is 4421"));
    // Not its number: four digits come up in hashes.
    expect(entry.entry).not.toContain("bank card");
    expect(entry.payload?.text?.value).toBe("my bank card is 4421");
    const row = await pool.query(
      "SELECT payload -> 'text' ->> 'value' AS value FROM oc_audit_payload WHERE ledger = $1",
      ["erasable/eu"],
    );
    expect(row.rows).toEqual([{ value: "my bank card is 4421" }]);
  });
});

describe("state", () => {
  it("changes an action one version at a time and refuses only the late draft", async () => {
    const id = uuidv7();
    const first = await ledgers.append("state/eu", actionEntry(id, 1, "PENDING"));
    const results = await Promise.allSettled([
      ledgers.append("state/eu", actionEntry(id, 2, "APPROVED")),
      ledgers.append("state/eu", actionEntry(id, 2, "DENIED")),
      ledgers.append("state/eu", note("a bystander")),
      ledgers.append("state/eu", actionEntry(id, 7, "DENIED")),
    ]);
    expect(results.map((result) => result.status)).toEqual(["fulfilled", "rejected", "fulfilled", "rejected"]);
    expect(results[1]).toMatchObject({ reason: { code: "MOVED", kind: "ACTION" } });
    expect(results[3]).toMatchObject({ reason: { code: "MOVED", kind: "ACTION" } });
    const row = await pool.query("SELECT version, status, proposed_seq, entries FROM oc_action WHERE id = $1", [id]);
    const second = (results[0] as PromiseFulfilledResult<LedgerEntry>).value;
    expect(row.rows).toEqual([
      { version: 2, status: "APPROVED", proposed_seq: String(first.seq), entries: [first.seq, second.seq].map(String) },
    ]);
  });

  it("moves several things with one entry, all of them or none, and lets others rest on them", async () => {
    const [before, after, other] = [uuidv7(), uuidv7(), uuidv7()];
    const chain = (id: string, version: number, status: string) => ({ kind: "CHAIN", id, version, state: { status } });
    const step = (id: string, ...states: UnsealedObject[]) =>
      ledgers.append("route/eu", { type: "ACTION_PROPOSED", actor: { id: "a" }, chain: id, states });
    await step(before, chain(before, 1, "OPEN"));
    const results = await Promise.allSettled([
      step(before),
      step(after, chain(after, 1, "OPEN"), chain(before, 2, "CLOSED")),
      step(before),
      step(other, chain(other, 1, "OPEN"), chain(before, 2, "CLOSED")),
      step(after),
    ]);
    expect(results.map(({ status }) => status)).toEqual([
      "fulfilled",
      "fulfilled",
      "rejected",
      "rejected",
      "fulfilled",
    ]);
    expect(results[2]).toMatchObject({ reason: { code: "MOVED", kind: "CHAIN" } });
    expect(results[3]).toMatchObject({ reason: { code: "MOVED", kind: "CHAIN" } });
    const rows = await pool.query(
      "SELECT id, version, status FROM oc_state WHERE ledger = 'route/eu' ORDER BY first_seq",
    );
    expect(rows.rows).toEqual([
      { id: before, version: 2, status: "CLOSED" },
      { id: after, version: 1, status: "OPEN" },
    ]);
  });

  it("is named by kind, id and version where a draft depends on it", async () => {
    await ledgers.ensure("dependencies/eu");
    const body = `{"actor":{"id":"x"},"id":"${uuidv7()}","type":"NOTE"}`;
    for (const dependency of [
      { kind: "THING", id: "x", drafts: [1] },
      { id: "x", version: 1, drafts: [1] },
      { kind: "THING", version: null, drafts: [1] },
      { kind: "THING", id: "x", version: 1 },
      { kind: "THING", id: "x", version: 1, drafts: [] },
      { kind: "THING", id: "x", version: 1, drafts: [0] },
      { kind: "THING", id: "x", version: 1, drafts: [1, 2] },
    ]) {
      const appended = pool.query("SELECT refusal FROM oc_ledger_append('dependencies/eu', $1, '', $2)", [
        body,
        JSON.stringify({ dependencies: [dependency] }),
      ]);
      await expect(
        appended.then(
          ({ rows }) => rows[0]?.refusal ?? "recorded",
          ({ code }) => code,
        ),
      ).resolves.toBe("OC003");
    }
  });

  it("cannot be moved twice by one entry", async () => {
    const id = uuidv7();
    const state = (version: number) => ({ kind: "THING", id, version, state: {} });
    const twice = ledgers.append("twice/eu", { type: "NOTE", actor: { id: "a" }, states: [state(1), state(1)] });
    await expect(twice).rejects.toMatchObject({ code: "DRAFT_REJECTED" });
  });
});

describe("faults", () => {
  it("finds the one draft that cannot be recorded and records its companions", async () => {
    await ledgers.ensure("poison/eu");
    const results = await Promise.allSettled([
      ledgers.append("poison/eu", note("before")),
      ledgers.append("poison/eu", { type: "NOTE", actor: { id: "x" }, session: "not a uuid" }),
      ledgers.append("poison/eu", note("after")),
    ]);
    expect(results.map((result) => result.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(results[1]).toMatchObject({ reason: { code: "DRAFT_REJECTED" } });
    expect((await stored("poison/eu")).length).toBe(3);
  });

  it("refuses a body with duplicate keys, even from a client that writes it by hand", async () => {
    await ledgers.ensure("duplicate/eu");
    const id = uuidv7();
    const body = `{"actor":{"id":"x"},"id":"${id}","type":"NOTE","type":"OTHER"}`;
    await expect(callAppend(pool, "duplicate/eu", [{ id, body, payload: "" }])).rejects.toThrow(/duplicate|unique/i);
    expect((await stored("duplicate/eu")).length).toBe(1);
  });

  it("refuses raw control characters, which an export could not carry", async () => {
    await ledgers.ensure("control/eu");
    const id = uuidv7();
    const body = `{"actor":{"id":"x"},\r"id":"${id}","type":"NOTE"}`;
    await expect(callAppend(pool, "control/eu", [{ id, body, payload: "" }])).rejects.toMatchObject({ code: "OC003" });
  });

  it("refuses payloads that are not as many as the bodies, and conditions that name no draft", async () => {
    await ledgers.ensure("pairs/eu");
    const body = () => `{"actor":{"id":"x"},"id":"${uuidv7()}","type":"NOTE"}`;
    const bodies = `${body()}\n${body()}`;
    const append = (values: readonly string[]) =>
      pool.query(`SELECT * FROM oc_ledger_append('pairs/eu', ${values.map((_, at) => `$${at + 1}`).join(", ")})`, [
        ...values,
      ]);
    const payload = "{}";
    for (const values of [
      [bodies, payload],
      [bodies, `${payload}\n${payload}\n${payload}`],
      [bodies, "", "[]"],
      [bodies, "", '{"notAfter":"2000-01-01T00:00:00Z"}'],
      [bodies, "", '{"deadlines":[{"notAfter":"2000-01-01T00:00:00Z","drafts":[3]}]}'],
      [bodies, "", '{"deadlines":[{"notAfter":"2000-01-01T00:00:00Z"}]}'],
      [bodies, "", '{"deadlines":[{"drafts":[1]}]}'],
      ["", "", ""],
    ]) {
      await expect(append(values)).rejects.toMatchObject({ code: "OC003" });
    }
    expect((await append([bodies, `${payload}\n`, "{}"])).rowCount).toBe(2);
    expect((await stored("pairs/eu")).length).toBe(3);
  });

  it("turns callers away when its queue is full, and goes on afterwards", async () => {
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const append: ConstructorParameters<typeof AppendQueue>[0]["append"] = async (drafts) => {
      await gate;
      return callAppend(pool, "pressure/eu", drafts);
    };
    await ledgers.ensure("pressure/eu");
    const queue = new AppendQueue({
      append,
      appendAgain: (drafts, _after, call) => append(drafts, call),
      capacity: 3,
      head: 1n,
    });
    const draft = () => {
      const id = uuidv7();
      return { id, ...seal({ ...note("x"), id }) };
    };
    const running = queue.append(draft());
    await new Promise((resolve) => setImmediate(resolve));
    const waiting = [queue.append(draft()), queue.append(draft()), queue.append(draft())];
    await expect(queue.append(draft())).rejects.toMatchObject({ code: "LEDGER_UNAVAILABLE", retryAfterSeconds: 1 });
    release();
    await Promise.all([running, ...waiting]);
    await expect(queue.append(draft())).resolves.toMatchObject({ refusal: undefined });
  });

  it.each([
    ["sends half of many drafts while the other half is under way", true, 2],
    ["sends one batch after the other where connections are short", false, 1],
  ])("%s, and records each once", async (_, mayOverlap, expected) => {
    const ledger = `overlap-${expected}/eu` as const;
    await ledgers.ensure(ledger);
    const sizes: number[] = [];
    let under = 0;
    let most = 0;
    const append: ConstructorParameters<typeof AppendQueue>[0]["append"] = async (drafts) => {
      sizes.push(drafts.length);
      under += 1;
      most = Math.max(most, under);
      const outcomes = await callAppend(pool, ledger, drafts);
      under -= 1;
      return outcomes;
    };
    const queue = new AppendQueue({
      append,
      appendAgain: (drafts, _after, call) => append(drafts, call),
      capacity: 2_000,
      head: 1n,
      mayOverlap: () => mayOverlap,
    });
    const callers = Array.from({ length: 300 }, async (_, caller) => {
      const seqs: bigint[] = [];
      for (let step = 0; step < 4; step++) {
        const id = uuidv7();
        const outcome = await queue.append({ id, ...seal({ ...note(`${caller}/${step}`), id }) });
        if (outcome.refusal === undefined) seqs.push(outcome.seq);
      }
      return seqs;
    });
    const seqs = await Promise.all(callers);
    await queue.drain();
    expect(most).toBe(expected);
    // Two batches share what there is: none is nearly empty beside one that holds nearly everything.
    expect(Math.max(...sizes)).toBeLessThanOrEqual(300 / expected);
    for (const own of seqs) expect(own).toEqual([...own].sort((a, b) => Number(a - b)));
    const positions = seqs.flat().sort((a, b) => Number(a - b));
    expect(positions).toEqual(Array.from({ length: 1_200 }, (_, at) => BigInt(at + 2)));
  });

  it("finds out the outcome when the response to a commit is lost, and records nothing twice", async () => {
    const proxy = await startProxy(database.appUrl);
    const flaky = open(proxy.url);
    const writer = createLedgers({ pool: flaky, capacity: 100 });
    await writer.append("lost/eu", note("warm"));
    proxy.cutAnswerTo("the answer is lost");
    const entry = await writer.append("lost/eu", {
      type: "NOTE",
      actor: { id: "tester" },
      remark: "the answer is lost",
    });
    expect(proxy.cuts).toBe(1);
    const rows = await stored("lost/eu");
    expect(rows.length).toBe(3);
    expect(rows[2]).toMatchObject({
      seq: String(entry.seq),
      hash: entry.hash,
      prev: entry.prevHash,
      entry: entry.entry,
    });
    await writer.close();
    await flaky.end();
    await proxy.close();
  });

  it("throws LEDGER_UNAVAILABLE while the database is unavailable", async () => {
    const nowhere = open("postgres://postgres@127.0.0.1:1/none");
    const writer = createLedgers({ pool: nowhere, capacity: 10 });
    await expect(writer.append("away/eu", note("x"))).rejects.toMatchObject({ code: "LEDGER_UNAVAILABLE" });
    await nowhere.end();
  });

  it("cannot be written any other way by the server's role", async () => {
    await ledgers.ensure("door/eu");
    for (const statement of [
      "INSERT INTO oc_audit_log SELECT * FROM oc_audit_log",
      "UPDATE oc_audit_log SET type = 'x'",
      "DELETE FROM oc_audit_payload",
      "UPDATE oc_ledger_head SET seq = 1",
      "UPDATE oc_state SET status = 'APPROVED'",
      "TRUNCATE oc_audit_log",
    ]) {
      await expect(pool.query(statement)).rejects.toMatchObject({ code: "42501" });
    }
  });
});

describe("deadlines", () => {
  it("are judged under the head lock, by the database's clock", async () => {
    const late = ledgers.append("late/eu", note("too late"), { notAfter: new Date(Date.now() - 60_000) });
    await expect(late).rejects.toMatchObject({ code: "LATE" });
    await expect(
      ledgers.append("late/eu", note("in time"), { notAfter: new Date(Date.now() + 60_000) }),
    ).resolves.toMatchObject({ seq: 2n });
  });
});

describe("months", () => {
  it("far away get no partition with the server's role", async () => {
    for (const month of ["0044-03-15 BC", "2200-01-01", "1999-12-01"]) {
      await expect(pool.query("SELECT oc_ensure_partition($1)", [month])).rejects.toMatchObject({ code: "OC004" });
    }
  });
});

describe("close", () => {
  it("waits for what is between its call and a queue, and refuses what comes later", async () => {
    const own = open(database.appUrl);
    const closing = createLedgers({ pool: own, capacity: 10 });
    let settled = 0;
    const appends = [
      closing.append("closing/eu", note("the first of its ledger")),
      closing.append("closing/eu", note("another")),
      closing.append("closing/us", note("elsewhere")),
      closing.ensure("closing/ap"),
    ];
    for (const each of appends) void each.finally(() => (settled += 1)).catch(() => undefined);
    await closing.close();
    expect(settled).toBe(appends.length);
    await expect(closing.append("closing/eu", note("late"))).rejects.toMatchObject({ code: "LEDGER_UNAVAILABLE" });
    await own.end();
    await expect(Promise.all(appends)).resolves.toHaveLength(appends.length);
    expect((await stored("closing/eu")).length).toBe(3);
  });
});

describe("ready", () => {
  it("returns whether appends would succeed, with and without ledgers, and rejects with the reason otherwise", async () => {
    await expect(ledgers.ready()).resolves.toEqual({ ledger: true, heads: true, clock: true });
    const standby = open(database.appUrl);
    standby.on("connect", (client) => void client.query("SET default_transaction_read_only = on"));
    const reader = createLedgers({ pool: standby, capacity: 10 });
    await expect(reader.ready()).rejects.toMatchObject({ code: "25006" });
    await standby.end();
  });
});
