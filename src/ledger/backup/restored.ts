import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { isLedgerId } from "../../facts/entry.ts";
import { syncDirectory } from "../../files.ts";
import { allHeads, createHeadStore, readHeads } from "../heads.ts";
import { createProblemStore } from "../watch/problem-store.ts";
import type { BackupManifest } from "./manifest.ts";

export interface RestoredOptions {
  readonly dataDir: string;
  readonly manifest: Pick<BackupManifest, "madeAt" | "ledgers">;
  /** The folder of heads of the data directory that was lost; undefined: it is lost, too. */
  readonly earlier: string | undefined;
}

/**
 * Keeps, outside the database, what is known of the restored ledgers: their heads, those that were known before, and of each the
 * problem that it was restored. It stops the ledger until an administrator acknowledges it, in an entry that names it.
 *
 * @throws HeadsUnreadableError
 */
export async function keepRestored({ dataDir, manifest, earlier }: RestoredOptions): Promise<void> {
  const restoredAt = new Date().toISOString();
  const failure = (error: Error) => {
    throw error;
  };
  const store = createHeadStore({
    directory: join(dataDir, "heads"),
    standing: async () => [],
    onError: failure,
    onNotCompared: failure,
    // Two histories are for the watcher to find.
    onContradiction() {},
  });
  const problems = createProblemStore(join(dataDir, "problems"));
  const restored = new Map(manifest.ledgers.map(({ ledger, seq, hash }) => [ledger, { seq: BigInt(seq), hash }]));
  const ledgers = new Set([...restored.keys(), ...(await ledgersIn(earlier))]);
  for (const ledger of ledgers) {
    const head = restored.get(ledger);
    if (head !== undefined && head.seq > 0n) store.record(ledger, head);
    await store.flush();
    const before = earlier === undefined ? [] : allHeads(await readHeads(earlier, ledger));
    for (const known of before) {
      store.record(ledger, known);
      await store.flush();
    }
    const last = before.at(-1);
    const lost =
      last !== undefined && last.seq > (head?.seq ?? 0n)
        ? `; it was known to reach ${last.seq} sha256:${last.hash}`
        : "; what was recorded after that moment, if anything, is lost";
    const where = head === undefined ? "is not in it" : `ends at ${head.seq} sha256:${head.hash}`;
    const detail = `restored at ${restoredAt} from the backup of ${manifest.madeAt}: the ledger ${where}${lost}`;
    // In place of what a restore left that was interrupted after this.
    await problems.change(ledger, () => [{ verdict: "ROLLED_BACK", seq: undefined, detail }]);
  }
  await store.close();
  await mkdir(join(dataDir, "problems"), { recursive: true });
  await syncDirectory(dataDir);
}

async function ledgersIn(directory: string | undefined): Promise<readonly `${string}/${string}`[]> {
  if (directory === undefined) return [];
  const names = (await readdir(directory)).filter((name) => name.endsWith(".json"));
  return names.map((name) => name.slice(0, -5).replace("__", "/")).filter(isLedgerId);
}
