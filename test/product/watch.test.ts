import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DemoName } from "../../src/domain/identity/demo-principals.ts";
import { type App, type AppOptions, forget, startApp } from "../support/app.ts";
import { createTestDatabase, type TestDatabase, withClient } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";

interface Health {
  readonly condition: string;
  readonly verifiedTo: string;
  readonly problems: readonly { readonly verdict: string; readonly seq: string | null; readonly detail: string }[];
}

let database: TestDatabase;
const apps: App[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  for (const app of apps) if (app.process.exitCode === null && app.process.signalCode === null) await app.stop();
  await Promise.all(apps.splice(0).map(forget));
  await database.drop();
});

/** Tests are impatient: the guards and the end of a ledger are verified again and again, with as much of a core as it takes. */
async function start(options: AppOptions = {}, environment: Readonly<Record<string, string>> = {}): Promise<App> {
  const settings = { WATCH_SHARE: "100", WATCH_INTERVAL: "0.5", METRICS_PORT: "0", ...environment };
  const app = await startApp({ databaseUrl: database.appUrl, ...options, environment: settings });
  apps.push(app);
  return app;
}

/** By a superuser who takes the triggers off and puts them back, which nobody else notices. */
async function tamper(...statements: readonly string[]): Promise<void> {
  await withClient(database.superuserUrl, async (client) => {
    await client.query("BEGIN; SET LOCAL allow_system_table_mods = on");
    await client.query(
      "UPDATE pg_trigger SET tgenabled = 'D' WHERE NOT tgisinternal; UPDATE pg_event_trigger SET evtenabled = 'D'",
    );
    for (const statement of statements) await client.query(statement);
    await client.query(
      "UPDATE pg_trigger SET tgenabled = 'A' WHERE NOT tgisinternal; UPDATE pg_event_trigger SET evtenabled = 'A'",
    );
    await client.query("COMMIT");
  });
}

async function propose(app: App, as: DemoName = "agent") {
  return app.gql<{ proposeAction: { action: { id: string; digest: string } } }>(
    "mutation($input:ProposeActionInput!){proposeAction(input:$input){action{id digest} userErrors{code}}}",
    {
      input: {
        idempotencyKey: randomUUID(),
        platform: "reservations",
        tool: "cancel_reservation",
        arguments: {},
        repeat: true,
      },
    },
    as,
  );
}
const codeOf = async (app: App) => (await propose(app)).errors?.[0]?.extensions?.code ?? "recorded";

async function healthOf(app: App, as: DemoName = "auditor"): Promise<Health> {
  const selection = "{ledger{health{condition verifiedTo problems{verdict seq detail}}}}";
  return (await app.ask<{ ledger: { health: Health } }>(selection, {}, as)).ledger.health;
}
const headOf = async (app: App) =>
  Number((await app.ask<{ ledger: { head: { seq: string } } }>("{ledger{head{seq}}}", {}, "auditor")).ledger.head.seq);
const condition = (app: App, wanted: string) => waitUntil(async () => (await healthOf(app)).condition === wanted);
const verified = (app: App, seq: number) => waitUntil(async () => Number((await healthOf(app)).verifiedTo) >= seq);

interface Acknowledged {
  readonly entry: {
    readonly seq: string;
    readonly type: string;
    readonly body: { readonly problems: object[] };
  } | null;
  readonly userErrors: readonly { readonly code: string }[];
}
async function acknowledge(
  app: App,
  as: DemoName,
  note = "a restore from the backup of Monday",
): Promise<Acknowledged> {
  const text = "mutation($n:String!){acknowledgeLedger(input:{note:$n}){entry{seq type body} userErrors{code}}}";
  return (await app.ask<{ acknowledgeLedger: Acknowledged }>(text, { n: note }, as)).acknowledgeLedger;
}
const probe = async (app: App, route: string) => fetch(new URL(route, app.operationsUrl));

describe("a running server", () => {
  it("verifies what is recorded", async () => {
    const app = await start();
    for (let times = 0; times < 5; times++) await propose(app);
    await verified(app, await headOf(app));
    expect(await healthOf(app)).toMatchObject({ condition: "OK", problems: [] });
    expect((await probe(app, "/readyz")).status).toBe(200);
  });

  it("stops a ledger of which an entry was re-hashed, shows it everywhere, and goes on once that is acknowledged", async () => {
    const app = await start();
    for (let times = 0; times < 5; times++) await propose(app);
    await verified(app, await headOf(app));
    await tamper(
      `UPDATE oc_audit_log l SET entry = n.entry, hash = sha256(convert_to(n.entry, 'UTF8'))
         FROM (SELECT replace(entry, 'cancel_reservation', 'cancel_reservatioN') AS entry FROM oc_audit_log WHERE seq = 4) n
        WHERE l.seq = 4`,
    );
    await condition(app, "STOPPED");
    const { problems } = await healthOf(app);
    expect(problems.map(({ verdict, seq }) => [verdict, seq])).toContainEqual(["LINK_BROKEN", "5"]);
    expect((await healthOf(app, "agent")).problems).toEqual([]);
    expect(await codeOf(app)).toBe("LEDGER_STOPPED");
    const read = await app.ask<{ auditEntries: { nodes: object[] } }>(
      "{auditEntries(first:2){nodes{seq}}}",
      {},
      "auditor",
    );
    expect(read.auditEntries.nodes).toHaveLength(2);
    const ready = await probe(app, "/readyz");
    expect([ready.status, await ready.json()]).toMatchObject([503, { checks: { watch: false } }]);
    const metrics = await (await probe(app, "/metrics")).text();
    expect(metrics).toContain('countersign_ledgers{condition="STOPPED"} 1');
    expect(metrics).toContain('countersign_ledger_problems_total{verdict="LINK_BROKEN"} 1');
    const logged = /"level":"error".*"verdict":"LINK_BROKEN".*"seq":"5".*"foundBy":"(end|whole ledger)"/;
    expect(app.lines.some((line) => logged.test(line))).toBe(true);

    for (const as of ["agent", "member", "approver", "outsider"] as const) {
      expect((await acknowledge(app, as)).userErrors, as).toEqual([{ code: "ADMINISTRATORS_ONLY" }]);
    }
    expect((await acknowledge(app, "admin", " \n")).userErrors).toEqual([{ code: "INVALID_INPUT" }]);
    const { entry, userErrors } = await acknowledge(app, "admin");
    expect(userErrors).toEqual([]);
    expect(entry?.type).toBe("LEDGER_ACKNOWLEDGED");
    expect(entry?.body.problems).toContainEqual({ verdict: "LINK_BROKEN", seq: "5" });
    expect(await codeOf(app)).toBe("recorded");
    expect(await healthOf(app)).toMatchObject({ condition: "OK", problems: [] });
    expect((await acknowledge(app, "admin")).userErrors).toEqual([{ code: "NOTHING_TO_ACKNOWLEDGE" }]);
    const { verifyLedger } = await app.ask<{ verifyLedger: { verdict: string } }>(
      "{verifyLedger{verdict}}",
      {},
      "auditor",
    );
    expect(verifyLedger.verdict).not.toBe("INTACT");

    // Another server, and a restart, learn of it from the entry.
    const restarted = await start({ dataDir: app.dataDir });
    await verified(restarted, await headOf(restarted));
    await waitUntil(async () => (await healthOf(restarted)).condition === "OK");
    expect(await codeOf(restarted)).toBe("recorded");
    // Another problem stops the ledger again, also there where the first was acknowledged.
    await tamper("UPDATE oc_audit_log SET tool = 'other' WHERE seq = 6");
    await Promise.all([condition(app, "STOPPED"), condition(restarted, "STOPPED")]);
    await acknowledge(restarted, "admin");
    await Promise.all([condition(app, "OK"), condition(restarted, "OK")]);
  });

  it("notices that entries were cut off, before it appends and after 130 more were", async () => {
    const first = await start();
    for (let times = 0; times < 10; times++) await propose(first);
    await first.stop();
    await tamper(
      "DELETE FROM oc_audit_payload WHERE ledger = 'acme/eu' AND seq > 6",
      "DELETE FROM oc_state WHERE ledger = 'acme/eu' AND updated_seq > 6",
      "DELETE FROM oc_audit_log WHERE ledger = 'acme/eu' AND seq > 6",
      `UPDATE oc_ledger_head h SET seq = e.seq, hash = e.hash, recorded_at = e.recorded_at
         FROM oc_audit_log e WHERE h.ledger = 'acme/eu' AND e.ledger = h.ledger AND e.seq = 6`,
    );
    const stopping = await start({ dataDir: first.dataDir });
    expect(await codeOf(stopping)).toBe("LEDGER_STOPPED");
    expect((await healthOf(stopping)).problems).toMatchObject([{ verdict: "ROLLED_BACK", seq: "7" }]);
    await stopping.stop();

    const going = await start({ dataDir: first.dataDir }, { WATCH_ACTION: "alarm" });
    for (let times = 0; times < 130; times++) expect(await codeOf(going)).toBe("recorded");
    expect((await healthOf(going)).condition).toBe("SUSPECT");
    expect((await probe(going, "/readyz")).status).toBe(200);
    await going.stop();
    const after = await start({ dataDir: first.dataDir });
    await condition(after, "STOPPED");
    expect((await healthOf(after)).problems).toMatchObject([{ verdict: "CHECKPOINT_INCONSISTENT" }]);
    const { verifyLedger } = await after.ask<{ verifyLedger: { verdict: string } }>(
      "{verifyLedger{verdict}}",
      {},
      "auditor",
    );
    expect(verifyLedger.verdict).toBe("CHECKPOINT_INCONSISTENT");
    await acknowledge(after, "admin");
    await condition(after, "OK");
    expect(await codeOf(after)).toBe("recorded");
  });

  it("notices that a head was deleted while it runs, and before it starts", async () => {
    const app = await start();
    for (let times = 0; times < 3; times++) await propose(app);
    await verified(app, await headOf(app));
    await tamper("CREATE TABLE public.aside AS SELECT * FROM oc_ledger_head", "DELETE FROM oc_ledger_head");
    await waitUntil(() => app.lines.some((line) => /"verdict":"FORKED"/.test(line)));
    const restarted = await start({ dataDir: app.dataDir });
    expect(["LEDGER_STOPPED", "LEDGER_CORRUPT"]).toContain(await codeOf(restarted));
    await tamper("INSERT INTO oc_ledger_head SELECT * FROM public.aside", "DROP TABLE public.aside");
    await condition(app, "STOPPED");
    await waitUntil(async () => (await codeOf(app)) === "LEDGER_STOPPED");
    await acknowledge(app, "admin");
    await waitUntil(async () => (await codeOf(app)) === "recorded");
  });

  it("notices a changed state", async () => {
    const app = await start();
    await propose(app);
    await verified(app, await headOf(app));
    await tamper(
      "UPDATE oc_state SET status = 'APPROVED', state = state || '{\"status\":\"APPROVED\"}' WHERE kind = 'ACTION'",
    );
    await condition(app, "STOPPED");
    expect((await healthOf(app)).problems[0]?.detail).toContain("status");
  });

  it("notices a guard that is gone", async () => {
    const app = await start();
    await propose(app);
    await withClient(database.superuserUrl, async (client) => {
      const { rows } = await client.query<{ name: string }>(
        "SELECT quote_ident(evtname) AS name FROM pg_event_trigger",
      );
      for (const { name } of rows) await client.query(`DROP EVENT TRIGGER ${name}`);
    });
    await condition(app, "STOPPED");
    expect((await healthOf(app)).problems.map(({ verdict }) => verdict)).toContain("UNGUARDED");
    expect(await codeOf(app)).toBe("LEDGER_STOPPED");
    await acknowledge(app, "admin");
    expect(await codeOf(app)).toBe("recorded");
    const restarted = await start({ dataDir: app.dataDir });
    await verified(restarted, await headOf(restarted));
    expect((await healthOf(restarted)).condition).toBe("OK");
  });

  it("starts with a heads file that cannot be read, and says so", async () => {
    const first = await start();
    await propose(first);
    await first.stop();
    await writeFile(path.join(first.dataDir, "heads", "acme__eu.json"), "garbage");
    const app = await start({ dataDir: first.dataDir });
    await condition(app, "STOPPED");
    expect((await healthOf(app)).problems).toMatchObject([{ verdict: "UNVERIFIABLE", seq: null }]);
    const { verifyLedger } = await app.ask<{ verifyLedger: { verdict: string } }>(
      "{verifyLedger{verdict}}",
      {},
      "auditor",
    );
    expect(verifyLedger.verdict).toBe("UNVERIFIABLE");
    await acknowledge(app, "admin");
    expect(await codeOf(app)).toBe("recorded");
  });

  it("acknowledges nothing where nothing was found, and stops no other organization", async () => {
    const app = await start();
    await propose(app);
    await verified(app, await headOf(app));
    expect((await acknowledge(app, "admin")).userErrors).toEqual([{ code: "NOTHING_TO_ACKNOWLEDGE" }]);
    await app.ask("{ledger{head{seq}}}", {}, "outsider");
    await tamper("UPDATE oc_audit_log SET tool = 'other' WHERE ledger = 'acme/eu' AND seq = 2");
    await condition(app, "STOPPED");
    expect((await healthOf(app, "outsider")).condition).toBe("OK");
    const text = 'mutation{acknowledgeLedger(input:{region:"us",note:"x"}){userErrors{code}}}';
    expect((await app.gql(text, {}, "admin")).errors?.[0]?.extensions?.code).toBe("BAD_USER_INPUT");
  });

  it("sends the health of a ledger to subscribers when it changes", async () => {
    const app = await start({}, { HEARTBEAT: "0.5" });
    await propose(app);
    await verified(app, await headOf(app));
    const response = await fetch(app.url, {
      method: "POST",
      headers: {
        authorization: `Bearer ${await app.token("auditor")}`,
        "content-type": "application/json",
        accept: "text/event-stream",
      },
      body: JSON.stringify({ query: "subscription{ledgerHealth{condition problems{verdict}}}" }),
    });
    const reader = (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream()).getReader();
    let said = "";
    const until = async (text: string) => {
      while (!said.includes(text)) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`the stream ended: ${said}`);
        said += value;
      }
    };
    await until('"condition":"OK"');
    await tamper("UPDATE oc_audit_log SET tool = 'other' WHERE seq = 2");
    await until('"condition":"STOPPED"');
    await acknowledge(app, "admin");
    said = "";
    await until('"condition":"OK"');
    await reader.cancel();
  });
});
