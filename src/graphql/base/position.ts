import type { LedgerHead, LedgerId } from "../../facts/entry.ts";
import { readHead } from "../../ledger/read.ts";
import { builder } from "./builder.ts";
import type { Context } from "./context.ts";
import type { Reached } from "./follow.ts";

/** Where something was read: the ledger, and the last entry it had then. */
export interface Position {
  readonly ledger: LedgerId;
  readonly seq: bigint;
}

/** Where the caller's ledger ends, in the snapshot of the operation if it has one. A ledger begins with its first reader. */
export async function headOf({ services, db, snapshot, ledger }: Context): Promise<LedgerHead> {
  if (snapshot !== undefined) return snapshot.head();
  const head = await readHead(db, ledger);
  if (head !== undefined) return head;
  await services.ledgers.ensure(ledger);
  const created = await readHead(db, ledger);
  if (created === undefined) throw new Error(`ledger ${ledger} has no head`);
  return created;
}

/** Where a list that is read after this call is read at least: nothing up to there can be missing from it. */
export async function readingAt(context: Context): Promise<readonly Position[]> {
  const { seq } = await headOf(context);
  return [{ ledger: context.ledger, seq }];
}

export const LedgerPosition = builder.objectRef<Position>("LedgerPosition").implement({
  description:
    "A position in one ledger. Pass `seq` as `after` of a subscription to receive everything recorded later.",
  fields: (t) => ({
    ledger: t.exposeID("ledger", { description: "`<organization>/<region>`." }),
    region: t.string({
      description: "The region of the ledger.",
      resolve: ({ ledger }) => ledger.slice(ledger.indexOf("/") + 1),
    }),
    seq: t.field({
      type: "Sequence",
      description: "The position of the last entry at the time.",
      resolve: ({ seq }) => seq,
    }),
  }),
});

/** Where to go on in one region. */
export const RegionPosition = builder.inputType("RegionPosition", {
  description: "A position in the ledger of one region, as `asOf` has it.",
  fields: (t) => ({
    region: t.string({ required: true, description: "The region." }),
    seq: t.field({ type: "Sequence", required: true, description: "The position." }),
  }),
});

builder.globalConnectionField("asOf", (t) =>
  t.field({
    type: [LedgerPosition],
    description:
      "The ledger positions that the list was read at, the same for all lists of a query. Subscribe with them as `positions`, or for one ledger with `after` set to `seq`, to receive everything that is not in the list yet.",
    resolve: ({ asOf }) => [...asOf],
  }),
);

builder.globalConnectionField("unreadRegions", (t) =>
  t.stringList({
    description:
      "Regions that could not be read, or where it could not be recorded that they were: what they have is not in the list. Continue after `endCursor`, or read again, once they can be.",
    resolve: ({ unreadRegions = [] }) => [...unreadRegions],
  }),
);

/** What events of subscriptions to ledgers have in common. */
export const LedgerEvent = builder.interfaceRef<Reached>("LedgerEvent").implement({
  description: "Where a subscription is after an event.",
  fields: (t) => ({
    cursor: t.field({
      type: "Sequence",
      description:
        "The position reached in the ledger of `region`. Pass it as `after`, with that `region`, to continue there alone.",
      resolve: ({ cursor }) => cursor,
    }),
    region: t.exposeString("region", { description: "The region that the event is of." }),
    asOf: t.field({
      type: [LedgerPosition],
      complexity: 1,
      description: "The position reached in each ledger. Pass them as `positions` to continue in all of them.",
      resolve: ({ asOf }) => [...asOf],
    }),
    unreadRegions: t.stringList({
      description:
        "Regions that cannot be read now. What they have comes once they can be, behind their position in `asOf`; without one, behind where their ledger ends then.",
      resolve: ({ unreadRegions }) => [...unreadRegions],
    }),
  }),
});
