import type { JsonObject } from "./canonical.ts";
import type { LedgerId } from "./entry.ts";
import { position, type Reader } from "./read.ts";

/** What the latest entry about one thing of a ledger's directory says; `body.directory` of FORMAT.md. */
export interface DirectoryRow {
  /** What sort of thing it is: capitals and underscores. */
  readonly kind: string;
  /** Names it among those of its kind; 1 to 400 characters. */
  readonly id: string;
  /** 1 in its first entry, and one more in each after that. */
  readonly version: number;
  readonly state: JsonObject;
  /** Position of that entry. */
  readonly updatedSeq: bigint;
}

const AFTER = {
  name: "oc_read_directory",
  text: `
    SELECT kind, id, version, state, updated_seq
      FROM oc_directory
     WHERE ledger = $1 AND updated_seq > $2::bigint
     ORDER BY updated_seq`,
} as const;

type Stored = Omit<DirectoryRow, "updatedSeq"> & {
  readonly updated_seq: string;
};

/**
 * What has changed in the directory of `ledger` behind position `afterSeq` (0: everything), in the order it changed. The
 * last row's `updatedSeq` is where to go on from; of a thing that changed several times only the last state is told.
 */
export async function readDirectory(db: Reader, ledger: LedgerId, afterSeq: bigint): Promise<readonly DirectoryRow[]> {
  const { rows } = await db.query<Stored>({
    ...AFTER,
    values: [ledger, position(afterSeq)],
  });
  return rows.map(({ updated_seq, ...row }) => ({
    ...row,
    updatedSeq: BigInt(updated_seq),
  }));
}
