import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Principal } from "../../../src/domain/identity/principal.ts";
import { createReadingLog, type ReadingLogOptions } from "../../../src/domain/reading-log/reading-log.ts";
import { createSessions } from "../../../src/domain/sessions/sessions.ts";
import type { JsonObject } from "../../../src/facts/canonical.ts";
import type { LedgerEntry } from "../../../src/facts/entry.ts";
import { unseal } from "../../../src/facts/payload.ts";
import { LedgerUnavailableError } from "../../../src/ledger/errors.ts";
import { searchEntries } from "../../../src/ledger/search.ts";
import { silent } from "../../support/log.ts";
import { agent, auditor, calling, createWorld, human, LEDGER, type Process, type World } from "../support.ts";

let world: World;
let process: Process;

beforeAll(async () => {
  world = await createWorld();
  process = await world.process();
});

afterAll(() => world.close());

const startReadingLog = (options: Partial<ReadingLogOptions> = {}) =>
  createReadingLog({ ledgers: process.ledgers, region: "eu", log: silent, attribute: "none", ...options });

async function entriesBy(actorId: string): Promise<LedgerEntry[]> {
  return searchEntries(process.pool, LEDGER, { actorId }, { limit: 100 });
}

/** On a busy machine an entry can take longer than a window. */
const PATIENT = { timeout: 20_000 };

describe("a reading", () => {
  it("is an entry with who, when, which field and how much", async () => {
    const reader = human("reader-1", { roles: ["auditor"], displayName: "Mia" });
    const log = startReadingLog({ now: () => Date.parse("2026-03-01T10:20:30Z") });
    await log.record(calling(reader), LEDGER, "auditEntries", 20);
    const [entry, ...more] = await entriesBy("reader-1");
    expect(more).toEqual([]);
    expect(entry).toMatchObject({
      type: "AUDIT_READ",
      body: {
        actor: { id: "reader-1", kind: "HUMAN", roles: ["auditor"] },
        client: { name: "test" },
        read: { from: "2026-03-01T10:20:00.000000Z", reads: { auditEntries: 1 }, entries: 20 },
      },
    });
    expect(unseal(entry?.body as JsonObject, entry?.payload)).toMatchObject({
      actor: { profile: { displayName: "Mia", email: "reader-1@acme.example" } },
    });
    await log.record(calling(reader), LEDGER, "auditEntry", 1);
    await log.record(calling(reader), LEDGER, "auditEntries", 5);
    expect(await entriesBy("reader-1")).toHaveLength(1);
    await log.stop();
    expect((await entriesBy("reader-1"))[1]).toMatchObject({
      type: "AUDIT_READ",
      body: {
        actor: { id: "reader-1" },
        read: {
          from: "2026-03-01T10:20:00.000000Z",
          to: "2026-03-01T10:20:30.000000Z",
          reads: { auditEntries: 1, auditEntry: 1 },
          entries: 6,
        },
      },
    });
  });

  it("is recorded at the end of its window, and the next one begins a new window", async () => {
    const reader = calling(human("reader-2"));
    const log = startReadingLog({ window: 150 });
    const types = async () => (await entriesBy("reader-2")).map(({ body }) => Object.keys(body.read as object).length);
    // A window may end between any two of these: more of them come until one holds two.
    await expect
      .poll(async () => {
        await log.record(reader, LEDGER, "auditEntry", 1);
        return (await types()).includes(4);
      }, PATIENT)
      .toBe(true);
    await log.stop();
    const told = (await entriesBy("reader-2")).map(({ body }) => (body.read as { entries: number }).entries);
    expect(told.length).toBeGreaterThan(1);
  });

  it("of an agent is recorded for each person it acts for", async () => {
    const log = startReadingLog();
    const one: Principal = { ...agent, id: "reader-3", onBehalfOf: human("mia") };
    const other: Principal = { ...agent, id: "reader-3", onBehalfOf: human("noah") };
    for (const principal of [one, other, one]) await log.record(calling(principal), LEDGER, "node", 1);
    expect((await entriesBy("reader-3")).map(({ body }) => (body.onBehalfOf as JsonObject).id)).toEqual([
      "mia",
      "noah",
    ]);
    await log.stop();
    expect(await entriesBy("reader-3")).toHaveLength(3);
  });

  it("belongs to the reader's session, and its closing entry too while that is open", async () => {
    const sessions = createSessions({ ledgers: process.ledgers, db: process.pool, region: "eu" });
    const told = async (id: string) => (await entriesBy(id)).map(({ type, body }) => [type, body.session]);
    for (const ended of [false, true]) {
      const caller = calling(human(`reader-in-session-${ended}`));
      const { session } = await sessions.start(caller, {});
      const log = startReadingLog({ attribute: sessions.attribute });
      await log.record(caller, LEDGER, "node", 1);
      await log.record(caller, LEDGER, "node", 1);
      if (ended) await sessions.end(caller, { sessionId: session.id });
      await log.stop();
      expect(await told(caller.principal.id)).toEqual([
        ["SESSION_STARTED", session.id],
        ["AUDIT_READ", session.id],
        ...(ended ? [["SESSION_ENDED", session.id]] : []),
        ["AUDIT_READ", ended ? undefined : session.id],
      ]);
    }
  });

  it("in two browser sessions within a minute is recorded in each", async () => {
    const sessions = createSessions({ ledgers: process.ledgers, db: process.pool, region: "eu" });
    const reader = calling(human("reader-in-two-sessions"));
    const ids = await Promise.all(
      ["one", "other"].map(async () => (await sessions.start(reader, { alone: true })).session.id),
    );
    const log = startReadingLog({ attribute: sessions.attribute });
    await Promise.all([...ids, ...ids].map((sessionId) => log.record({ ...reader, sessionId }, LEDGER, "node", 1)));
    await log.stop();
    const read = (await entriesBy(reader.principal.id)).filter(({ type }) => type === "AUDIT_READ");
    expect(read.map(({ body }) => body.session).sort()).toEqual([...ids, ...ids].sort());
  });

  it("that cannot be recorded is refused; counts are kept and recorded later", async () => {
    const broken = { now: false };
    const errors: object[] = [];
    const log = startReadingLog({
      ledgers: {
        ...process.ledgers,
        append: (ledger, body) =>
          broken.now ? Promise.reject(new LedgerUnavailableError("away", 1)) : process.ledgers.append(ledger, body),
      },
      log: { error: (facts: object) => void errors.push(facts) } as ReadingLogOptions["log"],
    });
    const [mia, noah] = [calling(human("reader-4")), calling(human("reader-5"))];
    await log.record(mia, LEDGER, "auditEntries", 10);
    await log.record(mia, LEDGER, "auditEntries", 10);
    broken.now = true;
    await expect(log.record(noah, LEDGER, "auditEntries", 10)).rejects.toThrow(LedgerUnavailableError);
    // Counted in a minute that was begun while the ledger could be written.
    await log.record(mia, LEDGER, "auditEntries", 10);
    await expect(log.stop()).rejects.toMatchObject({ code: "COUNTS_NOT_RECORDED" });
    expect(errors[0]).toMatchObject({ principal: "reader-4", times: { auditEntries: 2 }, entries: 20 });
    broken.now = false;
    await log.stop();
    expect((await entriesBy("reader-4")).map(({ body }) => (body.read as JsonObject).entries)).toEqual([10, 20]);
    expect(await entriesBy("reader-5")).toEqual([]);
  });
});

describe("a refused token", () => {
  it("of a known principal is one entry a minute and reason, with the rest in a closing one", async () => {
    const log = startReadingLog();
    const principal = human("refused-1");
    const client = { name: "curl", confidence: "HEADER", modelConfidence: "UNKNOWN", evidence: {} } as const;
    for (let times = 0; times < 40; times++) {
      log.refused(principal, "TOKEN_EXPIRED", {
        client,
        issuer: "https://id.example",
        tokenId: "t-1",
        traceId: "f".repeat(32),
        address: "192.0.2.7",
      });
    }
    log.refused(principal, "SUSPENDED");
    await expect.poll(async () => (await entriesBy("refused-1")).length).toBe(2);
    await log.stop();
    const entries = await entriesBy("refused-1");
    expect(entries.map(({ type, body }) => [type, body.reason, (body.refused as JsonObject).times])).toEqual(
      expect.arrayContaining([
        ["AUTHENTICATION_REFUSED", "TOKEN_EXPIRED", 1],
        ["AUTHENTICATION_REFUSED", "SUSPENDED", 1],
        ["AUTHENTICATION_REFUSED", "TOKEN_EXPIRED", 39],
      ]),
    );
    expect(entries).toHaveLength(3);
    expect(entries[0]?.body).toMatchObject({
      client: { name: "curl" },
      refused: { issuer: "https://id.example", tokenId: "t-1" },
      traceId: "f".repeat(32),
    });
    expect(entries[0]?.entry).not.toContain("192.0.2.7");
    expect(unseal(entries[0]?.body as JsonObject, entries[0]?.payload)).toMatchObject({ address: "192.0.2.7" });
  });

  it("of another organization is recorded there, and reading and being refused are counted apart", async () => {
    const log = startReadingLog();
    log.refused(human("refused-2", { organization: "globex" }), "REVOKED");
    await log.record(calling(auditor), LEDGER, "auditEntry", 1);
    await expect
      .poll(() => searchEntries(process.pool, "globex/eu", { actorId: "refused-2" }, { limit: 5 }))
      .toHaveLength(1);
    await log.stop();
    expect(await entriesBy("refused-2")).toEqual([]);
  });

  it("that cannot be recorded is said in the log, and hurts nobody", async () => {
    const errors: object[] = [];
    const log = startReadingLog({
      ledgers: { ...process.ledgers, append: () => Promise.reject(new LedgerUnavailableError("away", 1)) },
      log: { error: (facts: object) => void errors.push(facts) } as ReadingLogOptions["log"],
    });
    log.refused(human("refused-3"), "TOKEN_EXPIRED");
    await expect.poll(() => errors).toMatchObject([{ principal: "refused-3", reason: "TOKEN_EXPIRED" }]);
    await log.stop();
  });
});
