import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, type Pool } from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createPool } from "../../src/db/pool.ts";
import type { UnsealedObject } from "../../src/facts/commitment.ts";
import { Erasable } from "../../src/facts/erasable.ts";
import { LedgerDamagedError } from "../../src/ledger/errors.ts";
import type { LedgerFault } from "../../src/ledger/faults.ts";
import type { Ledgers, LedgersOptions } from "../../src/ledger/ledger.ts";
import { createLedgerSnapshots } from "../../src/ledger/snapshot.ts";
import type { Watch } from "../../src/ledger/watch/watch.ts";
import { dateLedgers } from "../support/clock.ts";
import { createLedgers } from "../support/ledgers.ts";
import { silent } from "../support/log.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { createTestWatch } from "../support/watch.ts";
import { note } from "./scene.ts";

const LEDGER = "acme/eu";
const DAY = 86_400_000;

let database: TestDatabase;
let superuser: Client;
let pool: Pool;
let ledgers: Ledgers;
let faults: (LedgerFault | undefined)[];

beforeEach(async () => {
  database = await createTestDatabase();
  superuser = new Client({ connectionString: database.superuserUrl });
  await superuser.connect();
  open();
  for (let n = 0; n < 5; n += 1) await ledgers.append(LEDGER, note(`${n}`));
});

afterEach(async () => {
  await ledgers.close();
  await pool.end();
  await superuser.end();
  await database.drop();
});

function open(options: Partial<LedgersOptions> = {}): void {
  faults = [];
  const connectionString = database.appUrl;
  pool = createPool({ connectionString, max: 6, applicationName: "conditions", log: silent, lockTimeoutMs: 500 });
  const onFault = (fault: LedgerFault | undefined) => void faults.push(fault);
  ledgers = createLedgers({ pool, capacity: 1_000, limits: { appendMs: 5_000, headLockMs: 500 }, onFault, ...options });
}

async function reopen(options: Partial<LedgersOptions> = {}): Promise<void> {
  await ledgers.close();
  await pool.end();
  open(options);
}

/** The code with which appends end, or "recorded". */
async function appending(options: { readonly notAfter?: Date } = {}): Promise<string> {
  return ledgers.append(LEDGER, note("one more"), options).then(
    () => "recorded",
    (error: { readonly code: string }) => error.code,
  );
}

/** Changes the head, as somebody does who takes its guards off and puts them back. */
async function changeHead(sql: string): Promise<void> {
  await superuser.query(`
    BEGIN; SET LOCAL countersign.migration = 'on'; ALTER TABLE oc_ledger_head DISABLE TRIGGER ALL; ${sql};
    ALTER TABLE oc_ledger_head ENABLE ALWAYS TRIGGER oc_refuse_statement, ENABLE ALWAYS TRIGGER oc_refuse_beginning,
      ENABLE ALWAYS TRIGGER oc_refuse_row; COMMIT`);
}

const BROKEN: Readonly<Record<string, string>> = {
  removed: "DELETE FROM oc_ledger_head",
  "set back by one entry":
    "UPDATE oc_ledger_head h SET seq = e.seq, hash = e.hash, recorded_at = e.recorded_at FROM oc_audit_log e WHERE e.seq = 5",
  "set forward": "UPDATE oc_ledger_head SET seq = seq + 1000",
  "given another hash": "UPDATE oc_ledger_head SET hash = sha256(hash)",
  "dated otherwise": "UPDATE oc_ledger_head SET recorded_at = recorded_at - interval '1 second'",
};

describe.each(Object.entries(BROKEN))("a head that was %s", (how, sql) => {
  it("is found within seconds by a running server: LEDGER_CORRUPT, an alarm, not ready, until it is restored", async () => {
    await superuser.query("CREATE TABLE kept AS SELECT ledger, seq, hash, recorded_at FROM oc_ledger_head");
    await changeHead(sql);
    expect(await ledgers.ready()).toEqual({ ledger: true, heads: false, clock: true });
    expect(await appending()).toBe("LEDGER_CORRUPT");
    expect(faults).toMatchObject([{ code: "LEDGER_CORRUPT", message: expect.stringContaining(LEDGER) }]);

    await changeHead("DELETE FROM oc_ledger_head; INSERT INTO oc_ledger_head SELECT * FROM kept");
    await expect.poll(() => appending(), { timeout: 10_000 }).toBe("recorded");
    expect(await ledgers.ready()).toEqual({ ledger: true, heads: true, clock: true });
    expect(faults.at(-1)).toBeUndefined();
  });

  // An entry that follows a head with another date alone is as it should be, as long as it is not dated before the last one.
  if (how === "dated otherwise") return;

  it("is found without a readiness check, within seconds of the next append", async () => {
    // Also by a server that has just started, and takes the head for what it is.
    await reopen();
    await changeHead(sql);
    await expect.poll(() => appending(), { timeout: 5_000 }).toBe("LEDGER_CORRUPT");
    await expect.poll(() => faults[0]?.code, { timeout: 5_000 }).toBe("LEDGER_CORRUPT");
  });
});

describe("what was found wrong, of a ledger that is watched", () => {
  const damage = (what: string) => new LedgerDamagedError(LEDGER, what);
  let directory: string;
  let watch: Watch;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "countersign-faults-"));
    watch = createTestWatch(pool, directory, { onAcknowledged: (ledger) => ledgers.resume(ledger) });
    await ledgers.close();
    ledgers = createLedgers({ pool, capacity: 1_000, watch, onFault: (fault) => void faults.push(fault) });
  });
  afterEach(async () => {
    await watch.stop();
    await rm(directory, { recursive: true });
  });

  async function acknowledge(): Promise<void> {
    const problems = (await watch.toAcknowledge(LEDGER)).map((problem) => ({ ...problem }));
    const admin = { id: "admin", kind: "HUMAN", roles: ["admin"], groups: [] };
    const body = { actor: admin, type: "LEDGER_ACKNOWLEDGED", problems, note: new Erasable("restored") };
    await ledgers.append(LEDGER, body as UnsealedObject, { whenStopped: true });
    await watch.acknowledged(LEDGER);
  }

  it("is not ready until damage that a call found is acknowledged, and again when other damage is found", async () => {
    expect(await appending()).toBe("recorded");
    ledgers.damaged(damage("the row of ACTION a in oc_state is gone"));
    expect(await ledgers.ready()).toMatchObject({ heads: false });
    await expect.poll(() => appending()).toBe("LEDGER_STOPPED");
    await acknowledge();
    expect(await ledgers.ready()).toMatchObject({ heads: true });
    expect(await appending()).toBe("recorded");
    // The row is as it was: whoever decides on it is refused, which is no news.
    expect(ledgers.damaged(damage("the row of ACTION a in oc_state is gone")).code).toBe("LEDGER_CORRUPT");
    expect(await ledgers.ready()).toMatchObject({ heads: true });
    ledgers.damaged(damage("the row of ACTION b in oc_state is gone"));
    expect(await ledgers.ready()).toMatchObject({ heads: false });
    expect(faults.map((fault) => fault?.code)).toEqual(["LEDGER_CORRUPT", undefined, "LEDGER_CORRUPT"]);
  });

  it("is ready although a server that has just started finds damage that was acknowledged before", async () => {
    ledgers.damaged(damage("the row of ACTION a in oc_state is gone"));
    await expect.poll(() => appending()).toBe("LEDGER_STOPPED");
    await acknowledge();
    await watch.stop();
    await ledgers.close();
    watch = createTestWatch(pool, directory, { onAcknowledged: (ledger) => ledgers.resume(ledger) });
    ledgers = createLedgers({ pool, capacity: 1_000, watch });
    ledgers.damaged(damage("the row of ACTION a in oc_state is gone"));
    await expect.poll(() => ledgers.ready()).toMatchObject({ heads: true });
  });

  it("can be acknowledged when an entry does not follow the one before it", async () => {
    expect(await appending()).toBe("recorded");
    await changeHead("UPDATE oc_ledger_head SET hash = sha256(hash)");
    const codes = await Promise.all([appending(), appending()]);
    expect(codes).toContain("recorded");
    await expect.poll(() => appending()).toBe("LEDGER_CORRUPT");
    await expect.poll(() => watch.toAcknowledge(LEDGER)).toEqual([{ verdict: "LINK_BROKEN", seq: "8" }]);
    await acknowledge();
    expect(await appending()).toBe("recorded");
    expect(await ledgers.ready()).toMatchObject({ heads: true });
  });
});

describe("a draft that is late", () => {
  it("is refused as late although the database cannot be asked about its clock", async () => {
    const readinessPool = createPool({
      connectionString: database.appUrl,
      max: 1,
      applicationName: "closed",
      log: silent,
    });
    await readinessPool.end();
    await reopen({ readinessPool });
    expect(await appending({ notAfter: new Date(0) })).toBe("LATE");
  });
});

describe("a head that was removed", () => {
  it("is found by a server that has just started, and by reads", async () => {
    await reopen();
    await changeHead("DELETE FROM oc_ledger_head");
    expect(await appending()).toBe("LEDGER_CORRUPT");
    const snapshot = createLedgerSnapshots({ pool, ledgers })(LEDGER);
    await expect(snapshot.head()).rejects.toMatchObject({ code: "LEDGER_CORRUPT" });
    await snapshot.end();
  });
});

describe("a head that somebody holds", () => {
  it("is reported as LEDGER_LOCKED within a second or two, not ready, and used again once it is free", async () => {
    await superuser.query("BEGIN; SELECT FROM oc_ledger_head FOR UPDATE");
    const started = performance.now();
    expect(await Promise.all([appending(), appending()])).toEqual(["LEDGER_LOCKED", "LEDGER_LOCKED"]);
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(await ledgers.ready()).toEqual({ ledger: true, heads: false, clock: true });
    // Nobody waits again for what is known.
    expect(await appending()).toBe("LEDGER_LOCKED");
    expect(faults).toMatchObject([{ code: "LEDGER_LOCKED" }]);
    await superuser.query("ROLLBACK");
    await expect.poll(() => ledgers.ready(), { timeout: 10_000 }).toMatchObject({ heads: true });
    expect(await appending()).toBe("recorded");
  });
});

describe("other defaults of the role or the database", () => {
  it.each([
    "default_transaction_isolation = 'serializable'",
    "default_transaction_isolation = 'repeatable read'",
    "default_transaction_read_only = on",
    "datestyle = 'SQL, DMY'",
    "bytea_output = 'escape'",
  ])("%s changes nothing", async (setting) => {
    await superuser.query(`ALTER DATABASE ${database.name} SET ${setting}`);
    await reopen();
    const entries = await Promise.all(Array.from({ length: 60 }, (_, n) => ledgers.append(LEDGER, note(`${n}`))));
    expect(new Set(entries.map(({ seq }) => seq)).size).toBe(60);
    expect(await ledgers.ready()).toEqual({ ledger: true, heads: true, clock: true });
  });
});

describe("a clock of the database that was two days ahead, once", () => {
  it("is named where a deadline cannot be judged, with an alarm, not ready; what has no deadline is recorded", async () => {
    const clock = await dateLedgers(superuser);
    await clock.set(new Date(Date.now() + 2 * DAY));
    expect(await appending()).toBe("recorded");
    await clock.reset();
    const tomorrow = new Date(Date.now() + DAY);
    const late = ledgers.append(LEDGER, note("in time"), { notAfter: tomorrow });
    await expect(late).rejects.toMatchObject({
      code: "CLOCK_SKEWED",
      message: expect.stringMatching(/last entry of ledger acme\/eu is dated .* ahead of the database's clock/),
    });
    const [together] = await ledgers.appendTogether(LEDGER, [{ body: note("in time"), notAfter: tomorrow }]);
    expect(together).toMatchObject({ status: "rejected", reason: { code: "CLOCK_SKEWED" } });
    expect(faults).toMatchObject([{ code: "CLOCK_SKEWED" }]);
    expect(await ledgers.ready()).toEqual({ ledger: true, heads: true, clock: false });
    expect(await appending()).toBe("recorded");
    // A deadline that has passed by every clock is late as ever.
    expect(await appending({ notAfter: new Date(Date.now() - DAY) })).toBe("LATE");
  });
});

describe("a clock of the database that differs from the server's", () => {
  it("stops all appends, so that no head is dated by it, until the clocks agree", async () => {
    let off = 2 * DAY;
    await reopen({ now: () => Date.now() - off });
    expect(await ledgers.ready().then(() => appending())).toBe("recorded");
    expect(await ledgers.ready()).toEqual({ ledger: true, heads: true, clock: false });
    const refused = ledgers.append(LEDGER, note("not now"));
    await expect(refused).rejects.toMatchObject({ code: "CLOCK_SKEWED", message: expect.stringMatching(/differ by/) });
    off = 0;
    await expect.poll(() => appending(), { timeout: 10_000 }).toBe("recorded");
    expect(faults.map((fault) => fault?.code)).toEqual(["CLOCK_SKEWED", undefined]);
  });
});

describe("a ledger that is being created", () => {
  it("is not reported as one without a head, neither meanwhile nor when that failed", async () => {
    const connectionString = database.appUrl;
    const readinessPool = createPool({ connectionString, max: 2, applicationName: "readiness", log: silent });
    let checks = 0;
    readinessPool.on("acquire", () => {
      checks += 1;
    });
    await reopen({ readinessPool });
    const sound = { ledger: true, heads: true, clock: true };
    try {
      // Somebody else creates it and does not finish, as when a database is slow or killed.
      await superuser.query("BEGIN");
      const created = JSON.stringify({ id: randomUUID(), type: "LEDGER_CREATED" });
      await superuser.query("SELECT oc_ledger_create('new/eu', $1)", [created]);
      const failed = expect(ledgers.append("new/eu", note("first"))).rejects.toMatchObject({
        code: "LEDGER_UNAVAILABLE",
      });
      expect(await ledgers.ready()).toEqual(sound);
      await failed;
      // The ledgers in use are checked in the background.
      for (let times = 0; times < 2; times += 1) {
        const before = checks;
        expect(await appending()).toBe("recorded");
        await expect.poll(() => checks, { timeout: 10_000 }).toBeGreaterThan(before);
      }
      expect(await ledgers.ready()).toEqual(sound);
      await superuser.query("ROLLBACK");
      expect(await ledgers.append("new/eu", note("first"))).toMatchObject({ seq: 2n });
      expect(faults).toEqual([]);
    } finally {
      await readinessPool.end();
    }
  });
});
