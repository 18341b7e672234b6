import type { PrismaClient } from "../db/generated/prisma/client.ts";
import type { LedgerId } from "../ledger/entry.ts";
import { type Batch, createBatch } from "./batch.ts";
import { ENTRY_SELECT, type EntryRow } from "./rows.ts";

/** Refused attempts on one action that are shown at most; `auditEntries(filter: { actionId })` pages through all. */
export const MAX_ATTEMPTS = 200;

/** The refused attempts on an action, oldest first: entries that name it and left it as it was. */
export function createAttemptReads(prisma: PrismaClient, ledger: LedgerId): Batch<string, EntryRow[]> {
  return createBatch(async (actions) => {
    const rows = await prisma.entry.findMany({
      where: { ledger, actionId: { in: [...actions] }, actionVersion: null },
      orderBy: { seq: "asc" },
      take: MAX_ATTEMPTS * actions.length,
      select: { ...ENTRY_SELECT, actionId: true },
    });
    const found = new Map<string, EntryRow[]>();
    for (const row of rows) {
      const attempts = found.get(row.actionId ?? "") ?? [];
      found.set(row.actionId ?? "", attempts);
      if (attempts.length < MAX_ATTEMPTS) attempts.push(row);
    }
    return found;
  });
}
