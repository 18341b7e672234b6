import type { HashedEntry } from "./entries.ts";
import { createHistories, type LoadSteps, type Told } from "./histories.ts";
import { openLineageEvents } from "./openlineage.ts";
import { provDocument } from "./prov.ts";

export const LINEAGE_FORMATS = ["openlineage", "prov"] as const;
export type LineageFormat = (typeof LINEAGE_FORMATS)[number];

const WRITERS: Readonly<Record<LineageFormat, (told: Told) => readonly object[]>> = {
  openlineage: openLineageEvents,
  prov: provDocument,
};

/** What entries are in a format of others, an entry at a time and in the order of the ledger. */
export interface LineageWriter {
  /**
   * The JSON texts, without a line break in one, that `entry` adds; UNSEEN where the reader may not see what they are made of. The same
   * entry always adds the same texts, whatever was written before.
   */
  write(entry: HashedEntry): Promise<readonly string[] | "UNSEEN">;
}

/** @param load is called for actions that were proposed before what is written begins */
export function createLineageWriter(format: LineageFormat, load: LoadSteps): LineageWriter {
  const histories = createHistories(load);
  return {
    async write(entry) {
      const told = await histories.take(entry);
      if (told === undefined || told === "UNSEEN") return told ?? [];
      return WRITERS[format](told).map((value) => JSON.stringify(value));
    },
  };
}
