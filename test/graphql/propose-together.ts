import { randomUUID } from "node:crypto";
import type { Pool } from "pg";
import { expect } from "vitest";
import type { DemoName } from "../../src/domain/identity/demo-principals.ts";
import { type Answer, type Api, startApi } from "../http/harness.ts";
import { verifyLedger } from "../support/ledgers.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { type Proposed, type Refusal, WRITE } from "./steps.ts";

/** The result of one action of a batch; without an action when it was refused. */
export type Result = {
  readonly [Key in keyof Proposed]: Key extends "userErrors" ? Proposed[Key] : Proposed[Key] | null;
};

export interface Batch {
  readonly results: readonly Result[];
  readonly userErrors: readonly Refusal[];
}

export const FLIGHTS = { platform: "flights", tool: "search_direct_flight" };
export const VOUCHERS = { platform: "vouchers", tool: "send_certificate" };

export const SELECTION =
  "action{id status digest chainHash sourceChainHash} grant{token} entry{seq} userErrors{code message path}";

/** Two servers of the API on one database. */
export interface TwoServers {
  readonly api: Api;
  readonly other: Api;
  readonly databaseUrl: string;
  /** Stops them. Throws when the ledger is not INTACT. */
  close(): Promise<void>;
}

export async function startTwoServers(): Promise<TwoServers> {
  const database = await createTestDatabase();
  const [api, other] = await Promise.all([startApi(database.appUrl), startApi(database.appUrl)]);
  return {
    api,
    other,
    databaseUrl: database.appUrl,
    async close() {
      const verified = await verifyLedger(api.services.pool, "acme/eu");
      await other.close();
      await api.close();
      await database.drop();
      expect(verified).toMatchObject({ verdict: "INTACT", problems: [] });
    },
  };
}

/** An action to propose, of a key of its own. */
export const action = (more: object = {}) => ({
  idempotencyKey: randomUUID(),
  arguments: { user_id: "mia" },
  repeat: true,
  ...WRITE,
  ...more,
});

export function answerTo(
  api: Api,
  actions: readonly object[],
  as: DemoName = "agent",
  selection = SELECTION,
): Promise<Answer<{ proposeActions: Batch } | null>> {
  return api.gql(
    `mutation($input:ProposeActionsInput!){proposeActions(input:$input){results{${selection}} userErrors{code message path}}}`,
    { input: { actions } },
    { as },
  );
}

export async function proposeTogether(api: Api, actions: readonly object[], as: DemoName = "agent"): Promise<Batch> {
  const { data, errors } = await answerTo(api, actions, as);
  if (errors !== undefined || data === null) throw new Error(JSON.stringify(errors));
  return data.proposeActions;
}

export const codesOf = ({ results }: Batch) => results.map(({ userErrors }) => userErrors[0]?.code);
export const idsOf = ({ results }: Batch) => results.map((result) => result.action?.id);
export const positionsOf = ({ results }: Batch) => results.flatMap(({ entry }) => (entry === null ? [] : [entry.seq]));

/** How many transactions inserted the entries at `positions`. */
export async function transactionsOf(pool: Pool, positions: readonly string[], ledger = "acme/eu"): Promise<number> {
  const { rows } = await pool.query<{ xmin: string }>(
    "SELECT xmin::text AS xmin FROM oc_audit_log WHERE ledger = $1 AND seq = ANY ($2::bigint[])",
    [ledger, positions],
  );
  if (rows.length !== new Set(positions).size) throw new Error("there are no such entries");
  return new Set(rows.map(({ xmin }) => xmin)).size;
}
