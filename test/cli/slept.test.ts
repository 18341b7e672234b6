import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { Client } from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { settings } from "../../src/cli/options.ts";
import { openDemoTokens } from "../../src/cli/tokens.ts";
import { READ } from "../graphql/steps.ts";
import { dateLedgers } from "../support/clock.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { makeDataDir } from "../support/server.ts";
import { waitUntil } from "../support/wait.ts";
import { type ServingThere, serveThere } from "./serving.ts";

const DAYS_AGO = 100;
/** The clock of the past is a function that takes the place of PostgreSQL's, which servers notice. */
const ALARM = { WATCH_ACTION: "alarm" };
let database: TestDatabase;
let dataDir: string;
let superuser: Client;
let serving: ServingThere | undefined;

beforeAll(async () => {
  [database, dataDir] = [await createTestDatabase(), await makeDataDir()];
  superuser = new Client({ connectionString: database.superuserUrl });
  await superuser.connect();
});
afterAll(async () => {
  await serving?.end();
  await superuser.end();
  await database.drop();
  await rm(dataDir, { recursive: true, force: true });
});

/** Removes the partitions of months, which hold nothing. */
async function dropMonths(): Promise<void> {
  await superuser.query(`SET countersign.migration = 'on';
    DO $$ DECLARE name text; found boolean; BEGIN
      FOR name IN SELECT inhrelid::regclass::text FROM pg_inherits
                   WHERE inhparent IN ('oc_audit_log'::regclass, 'oc_audit_payload'::regclass)
                     AND inhrelid::regclass::text !~ '_default$' LOOP
        EXECUTE 'SELECT EXISTS (SELECT FROM ' || name || ')' INTO found;
        IF found THEN RAISE EXCEPTION '% is not empty', name; END IF;
        EXECUTE 'DROP TABLE ' || name;
      END LOOP;
    END $$; RESET countersign.migration`);
}

async function ask<Data>(document: string, variables: object, as: "agent" | "auditor"): Promise<Data> {
  const token = await (await openDemoTokens(settings({ dataDir }))).sign(as);
  const response = await fetch(serving!.url, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: document, variables }),
  });
  const { data, errors } = (await response.json()) as { data: Data; errors?: unknown };
  expect(errors).toBeUndefined();
  return data;
}

interface Entry {
  readonly seq: string;
  readonly type: string;
  readonly hash: string;
  readonly recordedAt: string;
}

interface Proposed {
  readonly action: { readonly id: string; readonly uuid: string };
  readonly entry: Entry & { readonly chainHash: string };
}

async function propose(user: string): Promise<Proposed> {
  const { proposeAction } = await ask<{ proposeAction: Proposed & { readonly userErrors: readonly unknown[] } }>(
    `mutation ($input: ProposeActionInput!) { proposeAction(input: $input) {
       action { id uuid } entry { seq type hash recordedAt chainHash } userErrors { code message } } }`,
    { input: { idempotencyKey: randomUUID(), ...READ, conversationId: user, arguments: { user } } },
    "agent",
  );
  expect(proposeAction.userErrors).toEqual([]);
  return proposeAction;
}

async function search(filter: object, newestFirst = false): Promise<readonly Entry[]> {
  const { auditEntries } = await ask<{ auditEntries: { readonly nodes: readonly Entry[] } }>(
    `query ($filter: AuditFilter!, $newestFirst: Boolean!) { auditEntries(first: 100, filter: $filter, newestFirst: $newestFirst) {
       nodes { seq type hash recordedAt } } }`,
    { filter, newestFirst },
    "auditor",
  );
  return auditEntries.nodes;
}

/** Every query finds what was proposed, and the ledger verifies. */
async function expectFound({ action, entry }: Proposed, user: string): Promise<void> {
  const at = { recordedFrom: entry.recordedAt, recordedTo: entry.recordedAt };
  const filters = [
    at,
    { text: user },
    { contains: { user } },
    { actionId: action.id },
    { chainHash: entry.chainHash },
    { types: [entry.type], tool: READ.tool },
    { actorId: "agent", platform: READ.platform, effect: "READ" },
  ];
  for (const filter of filters) {
    for (const newestFirst of [false, true]) {
      expect(
        (await search(filter, newestFirst)).map(({ hash }) => hash),
        JSON.stringify(filter),
      ).toContain(entry.hash);
    }
  }
  const found = await ask<
    Record<"bySeq" | "byHash", Entry> & { readonly action: object; readonly verifyLedger: object }
  >(
    `query ($seq: Sequence!, $hash: Hash!, $id: ID!) {
       bySeq: auditEntry(seq: $seq) { hash } byHash: auditEntry(hash: $hash) { hash } action(id: $id) { uuid }
       verifyLedger { verdict problems { __typename } } }`,
    { seq: entry.seq, hash: entry.hash, id: action.id },
    "auditor",
  );
  expect(found).toEqual({
    bySeq: { hash: entry.hash },
    byHash: { hash: entry.hash },
    action: { uuid: action.uuid },
    verifyLedger: { verdict: "INTACT", problems: [] },
  });
}

it("a server whose database has had no partitions for three months starts, appends and makes them", async () => {
  const clock = await dateLedgers(superuser);
  await clock.set(new Date(Date.now() - DAYS_AGO * 24 * 3600 * 1000));
  serving = await serveThere({ database, dataDir }, [], ALARM);
  const first = await propose("anna");
  await serving.end();
  await clock.reset();
  await dropMonths();
  const { rows: strays } = await superuser.query("SELECT FROM oc_audit_log_default");
  expect(strays.length).toBeGreaterThan(1);

  serving = await serveThere({ database, dataDir }, [], ALARM);
  const later = await propose("boris");
  await expectFound(first, "anna");
  await expectFound(later, "boris");
  // What came before the partition of its month is moved there. Then there are the month it fell asleep in, this one and the
  // two to come.
  await waitUntil(async () => {
    const { rows } = await superuser.query<{ left: boolean; months: number }>(
      `SELECT EXISTS (SELECT FROM oc_audit_log_default) OR EXISTS (SELECT FROM oc_audit_payload_default) AS left,
              (SELECT count(*)::int FROM pg_inherits
                WHERE inhparent = 'oc_audit_log'::regclass AND inhrelid::regclass::text !~ '_default$') AS months`,
    );
    return rows[0]?.left === false && rows[0].months >= 4;
  });
  await expectFound(first, "anna");
  await expectFound(later, "boris");
});
