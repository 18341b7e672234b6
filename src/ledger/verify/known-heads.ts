import { HeadsUnreadableError, type KnownHeads } from "../heads.ts";
import type { VerifyOptions } from "./verify.ts";

export type HeadOptions = Pick<VerifyOptions, "knownHead" | "earlierHeads" | "headsUnreadable">;

/** The heads to compare with. A file of heads that cannot be read is a problem of the ledger, not a failed verification. */
export async function headOptions(known: Promise<KnownHeads>): Promise<HeadOptions> {
  try {
    const { head, earlier } = await known;
    return { knownHead: head, earlierHeads: earlier };
  } catch (error) {
    if (error instanceof HeadsUnreadableError) return { headsUnreadable: error.message };
    throw error;
  }
}
