import type { LedgerEntry } from "../../../facts/entry.ts";
import { textOf } from "../../../facts/members.ts";
import { LedgerDamagedError } from "../../../ledger/errors.ts";
import { provenEntry } from "../../../ledger/proof.ts";
import type { EntryRow } from "../../../ledger/read.ts";
import { withListErrors } from "../../ledger-errors.ts";
import { readChains } from "./chains.ts";
import type { EdgeSource } from "./proven-edges.ts";
import type { Way } from "./statement.ts";
import type { Start } from "./walk.ts";

/** At a chain, whatever was done in it; undefined where there is none with a step that the caller may see. */
export async function startAtChain(source: EdgeSource, chain: string): Promise<Start | undefined> {
  const found = (await readChains(source, [chain])).get(chain);
  return found && { chain: found, at: undefined };
}

const ENTRIES = {
  name: "oc_entries_of_action",
  text: `
    SELECT e.seq, e.entry, encode(e.hash, 'hex') AS hash, e.payload
      FROM oc_action a CROSS JOIN LATERAL oc_entries_at(a.ledger, a.entries, false) e
     WHERE a.ledger = $1 AND a.id = $2 ORDER BY e.seq`,
};

/**
 * At what was done by the action that `entry` is about; undefined where it is about none. Upstream: of a write its own edges, of a read those
 * of the writes in its chain before it was done. Downstream: of a read those to what drew on it, of a write those to what drew on its chain
 * since.
 */
export async function startAtEntry(source: EdgeSource, entry: LedgerEntry, way: Way): Promise<Start | undefined> {
  const { action } = entry.body;
  if (typeof action !== "string") return undefined;
  const entries = await entriesOf(source, action);
  const [proposal] = entries;
  if (proposal?.type !== "ACTION_PROPOSED") {
    const damage = `oc_state does not have the proposal of action ${action}, of which entry ${entry.seq} is`;
    throw source.damaged(new LedgerDamagedError(source.ledger, damage));
  }
  const { chain, platform, effect } = proposal.body;
  const start = { chain: { ledger: source.ledger, chain: textOf(chain), platform: textOf(platform) } };
  const completed = entries.filter(({ type }) => type === "ACTION_COMPLETED");
  if (way === "UPSTREAM") {
    return effect === "WRITE"
      ? { ...start, at: proposal.recordedAt, writeAt: String(proposal.seq), proposal }
      : { ...start, at: completed.at(-1)?.recordedAt };
  }
  const readsAt = effect === "WRITE" ? undefined : [proposal, ...completed].map(({ seq }) => String(seq));
  return { ...start, at: proposal.recordedAt, readsAt };
}

async function entriesOf(source: EdgeSource, action: string): Promise<readonly LedgerEntry[]> {
  const { ledger, db } = source;
  const { rows } = await withListErrors(db.query<EntryRow>({ ...ENTRIES, values: [ledger, action] }));
  try {
    return rows.map((row) => provenEntry(ledger, row)).filter(({ body }) => body.action === action);
  } catch (error) {
    throw error instanceof LedgerDamagedError ? source.damaged(error) : error;
  }
}
