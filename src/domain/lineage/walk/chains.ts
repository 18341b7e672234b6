import { textOf } from "../../../facts/members.ts";
import { LedgerDamagedError } from "../../../ledger/errors.ts";
import { provenEntry } from "../../../ledger/proof.ts";
import type { EntryRow } from "../../../ledger/read.ts";
import { entryInScope } from "../../../ledger/read-scope.ts";
import { withListErrors } from "../../ledger-errors.ts";
import type { EdgeSource } from "./proven-edges.ts";

/** A routing chain, and where its steps are recorded. */
export interface Chain {
  readonly ledger: string;
  readonly chain: string;
  readonly platform: string;
}

/** Those of `chains` that have a step which the caller may see, by their ids: each by its first one. One statement. */
export async function readChains(source: EdgeSource, chains: readonly string[]): Promise<ReadonlyMap<string, Chain>> {
  const { ledger, db, scopes } = source;
  const values: unknown[] = [ledger, [...new Set(chains)]];
  const readable = scopes === undefined ? "true" : entryInScope("e", scopes, (value) => `$${values.push(value)}`);
  const text = `
    SELECT s.*
      FROM unnest($2::uuid[]) AS c(chain)
     CROSS JOIN LATERAL (
       SELECT e.seq, e.entry, encode(e.hash, 'hex') AS hash, NULL AS payload
         FROM oc_audit_log e
        WHERE e.ledger = $1 AND e.chain = c.chain AND e.platform IS NOT NULL AND ${readable} ORDER BY e.seq LIMIT 1) s`;
  const { rows } = await withListErrors(db.query<EntryRow>({ text, values }));
  try {
    return new Map(
      rows.map((row) => {
        const { body } = provenEntry(ledger, row);
        const [chain, platform] = [textOf(body.chain), textOf(body.platform)];
        return [chain, { ledger, chain, platform }];
      }),
    );
  } catch (error) {
    throw error instanceof LedgerDamagedError ? source.damaged(error) : error;
  }
}
