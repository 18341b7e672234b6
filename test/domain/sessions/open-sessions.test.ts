import type { Pool } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPool } from "../../../src/db/pool.ts";
import type { Authentication } from "../../../src/domain/identity/authentication.ts";
import type { Caller } from "../../../src/domain/identity/principal.ts";
import { createOpenSessions } from "../../../src/domain/sessions/open-sessions.ts";
import { createSessions, type Sessions } from "../../../src/domain/sessions/sessions.ts";
import type { Ledgers } from "../../../src/ledger/ledger.ts";
import { keepState, manipulate } from "../../ledger/manipulate-states.ts";
import { createLedgers } from "../../support/ledgers.ts";
import { silent } from "../../support/log.ts";
import { createTestDatabase, type TestDatabase } from "../../support/postgres.ts";

let database: TestDatabase;
let pool: Pool;
let ledgers: Ledgers;
let sessions: Sessions;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool({ connectionString: database.appUrl, max: 4, applicationName: "test", log: silent });
  ledgers = createLedgers({ pool, capacity: 100 });
  sessions = createSessions({ ledgers, db: pool, region: "eu" });
});

afterAll(async () => {
  await ledgers?.close();
  await pool?.end();
  await database?.drop();
});

const principal = { id: "ada", kind: "HUMAN" as const, organization: "acme", roles: [], groups: [] };
const caller: Caller = {
  principal,
  client: { name: "browser", confidence: "HEADER", modelConfidence: "UNKNOWN", evidence: {} },
};
const withSession = (sessionId: string | undefined, organization = "acme"): Authentication => ({
  principal: { ...principal, organization },
  issuer: "urn:countersign:sessions",
  expiresAt: Date.now() / 1000 + 3600,
  method: "password",
  sessionId,
});
const start = async () => (await sessions.start(caller, { alone: true })).session.id;
const open = (freshness = 1) => createOpenSessions({ ledgers, db: pool, region: "eu", log: silent, freshness });

describe("a token of a browser session", () => {
  it("is accepted while the session is open, and refused within moments of its end", async () => {
    const gate = open();
    const authentication = withSession(await start());
    expect(await gate.admit(authentication)).toBe(authentication);
    await sessions.end(caller, { sessionId: authentication.sessionId });
    const reason = () => gate.admit(authentication).then(String, ({ reason: why }) => why as string);
    await expect.poll(reason).toBe("REVOKED");
  });

  it("is looked up once for concurrent and following calls", async () => {
    let asked = 0;
    const counting = {
      query: (...what: Parameters<Pool["query"]>) => {
        asked += 1;
        return pool.query(...what);
      },
    };
    const gate = createOpenSessions({
      ledgers,
      db: counting as unknown as Pool,
      region: "eu",
      log: silent,
      freshness: 60_000,
    });
    const authentication = withSession(await start());
    await Promise.all(Array.from({ length: 20 }, () => gate.admit(authentication)));
    await gate.admit({ ...authentication });
    // Whether it is open, and that its entries say so.
    expect(asked).toBe(2);
  });

  it("is refused when the session is unknown, expired, or another organization's", async () => {
    const gate = open();
    const brief = createSessions({ ledgers, db: pool, region: "eu", sessionTtl: -1 });
    const expired = (await brief.start(caller, { alone: true })).session.id;
    const refused = { code: "UNAUTHENTICATED", reason: "REVOKED" };
    await expect(gate.admit(withSession("018f0000-0000-7000-8000-000000000000"))).rejects.toMatchObject(refused);
    await expect(gate.admit(withSession(expired))).rejects.toMatchObject(refused);
    await expect(gate.admit(withSession(await start(), "globex"))).rejects.toMatchObject(refused);
  });

  it("is neither accepted nor forgotten when that cannot be checked", async () => {
    let away = true;
    const failing = {
      query: (...what: Parameters<Pool["query"]>) =>
        away ? Promise.reject(Object.assign(new Error("gone"), { code: "ECONNREFUSED" })) : pool.query(...what),
    };
    const gate = createOpenSessions({
      ledgers,
      db: failing as unknown as Pool,
      region: "eu",
      log: silent,
      freshness: 60_000,
    });
    const authentication = withSession(await start());
    await expect(gate.admit(authentication)).rejects.toMatchObject({ code: "LEDGER_UNAVAILABLE" });
    away = false;
    expect(await gate.admit(authentication)).toBe(authentication);
  });

  it("is refused when somebody put the row of an ended session back, whatever was proven before", async () => {
    const gate = open();
    const authentication = withSession(await start());
    expect(await gate.admit(authentication)).toBe(authentication);
    const row = await keepState(database.superuserUrl, "SESSION", authentication.sessionId ?? "");
    await sessions.end(caller, { sessionId: authentication.sessionId });
    await row.putBack();
    const code = () => gate.admit(authentication).then(String, ({ code: why }) => why as string);
    await expect.poll(code).toBe("LEDGER_CORRUPT");
    await manipulate(database.superuserUrl, "UPDATE oc_state SET status = 'ENDED' WHERE kind = 'SESSION' AND id = $1", [
      authentication.sessionId,
    ]);
  });

  it("is not looked up when it belongs to none", async () => {
    const gate = open();
    const authentication = withSession(undefined);
    expect(await gate.admit(authentication)).toBe(authentication);
    gate.watch(authentication, () => expect.unreachable())();
  });
});

describe("a watcher of a session", () => {
  it("is called once at its end, unless it stopped, and not for other sessions", async () => {
    const gate = open(5);
    const heard: string[] = [];
    const [one, stopped, other] = await Promise.all([start(), start(), start()]);
    gate.watch(withSession(one), ({ reason }) => heard.push(`one ${reason}`));
    gate.watch(withSession(stopped), () => heard.push("stopped"))();
    gate.watch(withSession(other), () => heard.push("other"));
    for (const sessionId of [one, stopped]) await sessions.end(caller, { sessionId });
    await expect.poll(() => heard).toEqual(["one REVOKED"]);
    await sessions.end(caller, { sessionId: other });
    await expect.poll(() => heard).toEqual(["one REVOKED", "other"]);
    gate.stop();
  });

  it("is called though a session of another organization cannot be proven, in one query for all of an organization", async () => {
    const asked: string[] = [];
    const counting = {
      query: (...what: Parameters<Pool["query"]>) => {
        asked.push((what[0] as unknown as { name: string }).name);
        return pool.query(...what);
      },
    };
    const db = counting as unknown as Pool;
    const gate = createOpenSessions({ ledgers, db, region: "eu", log: silent, freshness: 1 });
    const elsewhere: Caller = { ...caller, principal: { ...principal, organization: "initech" } };
    const damaged = (await sessions.start(elsewhere, { alone: true })).session.id;
    await manipulate(database.superuserUrl, "UPDATE oc_state SET hash = sha256(hash) WHERE id = $1", [damaged]);
    const all = await Promise.all(Array.from({ length: 20 }, start));
    const heard: (string | undefined)[] = [];
    const watch = (sessionId: string, organization = "acme") =>
      gate.watch(withSession(sessionId, organization), () => heard.push(sessionId));
    watch(damaged, "initech");
    for (const id of all) watch(id);
    await expect.poll(() => asked.length).toBeGreaterThan(3);
    // Of each organization whether its sessions are open, and that their entries say so.
    expect(asked.slice(0, 4).sort()).toEqual([
      ...Array(2).fill("oc_open_sessions"),
      ...Array(2).fill("oc_prove_sessions"),
    ]);
    await sessions.end(caller, { sessionId: all[7] });
    await expect.poll(() => heard).toEqual([all[7]]);
    gate.stop();
  });
});
