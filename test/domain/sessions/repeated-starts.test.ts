import type { Pool } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPool } from "../../../src/db/pool.ts";
import type { Caller } from "../../../src/domain/identity/principal.ts";
import { createSessions, type Sessions } from "../../../src/domain/sessions/sessions.ts";
import type { Ledgers } from "../../../src/ledger/ledger.ts";
import { createLedgers, verifyLedger } from "../../support/ledgers.ts";
import { silent } from "../../support/log.ts";
import { createTestDatabase, type TestDatabase } from "../../support/postgres.ts";

let database: TestDatabase;
let pool: Pool;
let ledgers: readonly [Ledgers, Ledgers];
let servers: readonly [Sessions, Sessions];

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool({ connectionString: database.appUrl, max: 8, applicationName: "test", log: silent });
  ledgers = [createLedgers({ pool, capacity: 1_000 }), createLedgers({ pool, capacity: 1_000 })];
  const server = (n: 0 | 1) => createSessions({ ledgers: ledgers[n], db: pool, region: "eu" });
  servers = [server(0), server(1)];
});

afterAll(async () => {
  await Promise.all((ledgers ?? []).map((each) => each.close()));
  await pool?.end();
  await database?.drop();
});

function callerOf(organization: string, change: Partial<Caller> = {}): Caller {
  return {
    principal: { id: "mia", kind: "HUMAN", organization, roles: [], groups: [] },
    client: { name: "console", confidence: "HEADER", modelConfidence: "UNKNOWN", evidence: {} },
    method: "password",
    address: "192.0.2.1",
    ...change,
  };
}

async function startsIn(organization: string): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM oc_audit_log WHERE ledger = $1 AND type = 'SESSION_STARTED'",
    [`${organization}/eu`],
  );
  return rows[0]?.count ?? 0;
}

/** Runs `work` within one minute of the database, so that no window ends in it: another time if one did. */
async function withinMinute<Result>(work: () => Promise<Result>): Promise<Result> {
  const minute = async () =>
    (await pool.query<{ at: string }>("SELECT date_trunc('minute', clock_timestamp())::text AS at")).rows[0]?.at;
  for (;;) {
    const before = await minute();
    const result = await work();
    if ((await minute()) === before) return result;
  }
}

const [one, two] = [0, 1] as const;
let organizations = 0;
const fresh = () => `starts-${++organizations}`;

describe("a session that is started again", () => {
  it("is one session and one entry, however often and wherever it is started at once", async () => {
    const [organization, ids] = await withinMinute(async () => {
      const name = fresh();
      const caller = callerOf(name);
      const started = await Promise.all(
        Array.from({ length: 200 }, (_, n) => servers[n % 2 === 0 ? one : two].start(caller, { conversationId: "c" })),
      );
      const again = await servers[one].start(caller, { conversationId: "c" });
      return [name, new Set([...started, again].map(({ session, entry }) => `${session.id} ${entry.seq}`))];
    });
    expect(ids.size).toBe(1);
    expect(await startsIn(organization)).toBe(1);
    expect(await verifyLedger(pool, `${organization}/eu`)).toMatchObject({ verdict: "INTACT" });
  });

  it("is another one when anything differs that is recorded of it", async () => {
    const [organization, ids] = await withinMinute(async () => {
      const name = fresh();
      const base = callerOf(name);
      const { principal, client } = base;
      const callers = [
        base,
        { ...base, principal: { ...principal, roles: ["admin"] } },
        { ...base, principal: { ...principal, email: "mia@acme.example" } },
        { ...base, principal: { ...principal, id: "noa" } },
        { ...base, principal: { ...principal, id: "bot", kind: "AGENT" as const, onBehalfOf: principal } },
        { ...base, client: { ...client, version: "2" } },
        { ...base, method: "passkey" },
        { ...base, address: "192.0.2.2" },
      ];
      const started = await Promise.all(callers.map((caller) => servers[one].start(caller, { conversationId: "c" })));
      const named = await servers[one].start(base, { conversationId: "d" });
      return [name, [...started, named].map(({ session }) => session.id)];
    });
    expect(new Set(ids).size).toBe(9);
    expect(await startsIn(organization)).toBe(9);
  });

  it("is another one after its end, each time", async () => {
    const ids = await withinMinute(async () => {
      const caller = callerOf(fresh());
      const found: string[] = [];
      for (let turn = 0; turn < 10; turn += 1) {
        const { session } = await servers[turn % 2 === 0 ? one : two].start(caller, {});
        const again = (await servers[two].start(caller, {})).session.id;
        // Beyond eight, each start is another one.
        if (turn < 8) expect(again).toBe(session.id);
        found.push(session.id);
        await servers[one].end(caller, { sessionId: session.id });
      }
      return found;
    });
    expect(new Set(ids).size).toBe(10);
  });

  it("is another one without a conversation when one with a conversation was started after it", async () => {
    const [first, named, second] = await withinMinute(async () => {
      const caller = callerOf(fresh());
      const start = async (conversationId?: string) =>
        (await servers[one].start(caller, { conversationId })).session.id;
      return [await start(), await start("c"), await start()];
    });
    expect(new Set([first, named, second]).size).toBe(3);
  });

  it("is another one for each browser", async () => {
    const caller = callerOf(fresh());
    const { session } = await servers[one].start(caller, { alone: true });
    expect((await servers[one].start(caller, { alone: true })).session.id).not.toBe(session.id);
    expect((await servers[one].start(caller, {})).session.id).not.toBe(session.id);
  });
});
