import { Client } from "pg";
import { seal } from "../../../src/facts/commitment.ts";
import { callAppend, type Draft } from "../../../src/ledger/appending/call.ts";
import type { Ledgers } from "../../../src/ledger/ledger.ts";
import type { Baseline } from "./baselines.ts";
import { body, facts } from "./drafts.ts";

/** Drafts of a batch. */
export const READY = 256;
const LEDGER = "ready/eu";
/** More than a second's worth. */
const PER_SECOND = 16_000;

/** (d) The function that appends, on one connection, with batches that were made beforehand: what it leaves to Node is nothing. */
export async function readyDrafts(url: string, ledgers: Ledgers, seconds: number): Promise<Baseline> {
  await ledgers.ensure(LEDGER);
  const client = new Client({ connectionString: url });
  await client.connect();
  const batches = Array.from({ length: Math.ceil((PER_SECOND * seconds) / READY) }, () =>
    Array.from({ length: READY }, draft),
  );
  return {
    async append() {
      const batch = batches.pop();
      if (batch === undefined)
        throw new Error(`more than ${PER_SECOND} drafts a second were appended: make more beforehand`);
      await callAppend(client, LEDGER, batch);
    },
    close: () => client.end(),
  };
}

function draft(_: unknown, n: number): Draft {
  const of = facts(n, LEDGER);
  return { id: of.id, ...seal({ ...body(of), id: of.id }) };
}
