import { randomUUID } from "node:crypto";
import type { Client } from "pg";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seal } from "../../src/facts/commitment.ts";
import { callAppend, callAppendAgain, type Draft } from "../../src/ledger/appending/call.ts";
import { withClient } from "../support/postgres.ts";
import { note, openScene, type Scene } from "./scene.ts";

const LEDGER = "retried/eu";
let scene: Scene;

beforeAll(async () => {
  scene = await openScene();
  await scene.ledgers.ensure(LEDGER);
});
afterAll(() => scene.close());

function drafts(count: number): readonly Draft[] {
  return Array.from({ length: count }, () => {
    const id = uuidv7();
    return { id, ...seal({ ...note("one of many"), id }) };
  });
}

/** Index entries of the audit log that this connection's transaction has read. */
async function entriesRead(client: Client): Promise<number> {
  const { rows } = await client.query<{ read: number }>(
    `SELECT sum(pg_stat_get_xact_tuples_returned(i.indexrelid))::integer AS read
       FROM pg_partition_tree('oc_audit_log') t JOIN pg_index i ON i.indrelid = t.relid`,
  );
  return rows[0]?.read ?? 0;
}

describe("a retry after a commit of unknown outcome", () => {
  it("finds its drafts by their ids, however much was recorded since", async () => {
    await withClient(scene.database.appUrl, async (client) => {
      const retry = (some: readonly Draft[]) => callAppendAgain(client, LEDGER, some, 0n, randomUUID());
      // The plan of this connection is made while the table is small.
      for (let n = 0; n < 6; n += 1) await retry(drafts(1));
      const recorded = drafts(20);
      await callAppend(client, LEDGER, recorded, randomUUID());
      for (let n = 0; n < 8; n += 1) await callAppend(client, LEDGER, drafts(500), randomUUID());
      await client.query("BEGIN");
      const before = await entriesRead(client);
      const outcomes = await retry([...recorded, ...drafts(20)]);
      const read = (await entriesRead(client)) - before;
      await client.query("ROLLBACK");
      const positions = outcomes.map((outcome) => (outcome.refusal === undefined ? outcome.seq : undefined));
      expect(positions.slice(0, 20)).toEqual(recorded.map((_, n) => BigInt(n + 8)));
      expect(positions.slice(20)).toEqual(recorded.map((_, n) => BigInt(n + 4028)));
      expect(read).toBeGreaterThan(0);
      expect(read).toBeLessThan(200);
    });
  });
});
