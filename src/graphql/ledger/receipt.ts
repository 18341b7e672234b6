import type { LedgerEntry } from "../../facts/entry.ts";
import { builder } from "../base/builder.ts";
import type { Context } from "../base/context.ts";
import { orRefusal, payloadType, type UserErrorShape, userError } from "../base/payload.ts";
import { type EntryNode, entryNode } from "../base/rows.ts";
import { EntryRef } from "./entry.ts";
import { recordedEntries } from "./reads.ts";

/** What a mutation that records an entry returns. */
export interface Receipt {
  readonly entry?: EntryNode | undefined;
  readonly userErrors: readonly UserErrorShape[];
}

type Received<Result> = Omit<Result, "entry"> & Receipt;
type Refused<Result> = Partial<Omit<Result, "entry">> & Receipt;

/** `result` with its entry as a row. What was just recorded needs no second reading to be selected from. */
export function received<Result extends { readonly entry?: LedgerEntry | undefined }>(
  context: Context,
  result: Result,
): Received<Result> {
  const { entry: recorded, ...rest } = result;
  const entry = recorded && entryNode(recorded);
  if (entry !== undefined) recordedEntries(context).set(entry.seq, entry);
  return { ...rest, entry, userErrors: [] };
}

/** The payload of `work`: its result, or its refusal as a user error. */
export function receiptPayload<Result extends { readonly entry?: LedgerEntry | undefined }>(
  context: Context,
  work: Promise<Result>,
): Promise<Received<Result> | Refused<Result>> {
  return orRefusal(
    context,
    work.then((result) => received(context, result)),
    (refusal) => ({ userErrors: [userError(refusal)] }) as unknown as Refused<Result>,
  );
}

/** A payload type with `entry`. */
export function receiptType<Shape extends Receipt>(name: string, description: string) {
  const ref = payloadType<Shape>(name, description);
  builder.objectField(ref, "entry", (t) =>
    t.field({
      type: EntryRef,
      nullable: true,
      description: "The entry that records the change, or the refused attempt; null when nothing was recorded.",
      resolve: ({ entry }) => entry,
    }),
  );
  return ref;
}
