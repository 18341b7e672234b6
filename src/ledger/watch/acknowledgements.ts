import type { LedgerId } from "../../facts/entry.ts";
import type { Fact } from "../../facts/registry.ts";
import type { Queryable } from "../read.ts";
import { searchEntries } from "../search.ts";
import type { IsSigned } from "../signatures/check.ts";
import type { Acknowledgement } from "./problems.ts";

const TYPE = "LEDGER_ACKNOWLEDGED";
const PAGE = 100;

/** The acknowledgements in a ledger behind position `after`, and the position of the last; from entries, never from a table. */
export async function readAcknowledgements(
  { db, isSigned }: { readonly db: Queryable; readonly isSigned: IsSigned },
  ledger: LedgerId,
  after: bigint,
): Promise<{ readonly found: readonly Acknowledgement[]; readonly last: bigint }> {
  const found: Acknowledgement[] = [];
  for (let last = after; ; ) {
    const entries = await searchEntries(db, ledger, { types: [TYPE] }, { after: last, limit: PAGE });
    for (const entry of entries) {
      const { body, recordedAt } = entry;
      // The search compares a column; the entry says for itself what it is, and its signature that a server made it.
      if (body.type !== TYPE || !isSigned(entry)) continue;
      const { problems } = body as unknown as Pick<Fact<typeof TYPE>, "problems">;
      found.push({
        id: String(body.id),
        recordedAt: new Date(recordedAt),
        problems: problems as Acknowledgement["problems"],
      });
    }
    last = entries.at(-1)?.seq ?? last;
    if (entries.length < PAGE) return { found, last };
  }
}
