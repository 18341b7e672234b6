import type { LedgerId } from "../../facts/entry.ts";
import type { Reader } from "../../ledger/read.ts";
import { readRelated } from "../../ledger/related.ts";
import { type Batch, createBatch } from "../base/batch.ts";
import { type EntryRow, entryRow } from "../base/rows.ts";

/** Refused attempts on one action that are shown at most; `auditEntries(filter: { actionId })` pages through all. */
export const MAX_ATTEMPTS = 200;

/** The refused attempts on an action, oldest first: entries that name it and left it as it was. */
export function createAttemptReads(db: Reader, ledger: LedgerId): Batch<string, EntryRow[]> {
  return createBatch(async (actions) => {
    const found = await readRelated(db, ledger, "attemptOn", actions, MAX_ATTEMPTS);
    return new Map([...found].map(([action, entries]) => [action, entries.map(entryRow)]));
  });
}
