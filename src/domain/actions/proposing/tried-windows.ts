import type { LedgerEntry, LedgerId } from "../../../facts/entry.ts";
import type { Queryable } from "../../../ledger/read.ts";
import type { Asked, RunTrial, TrialResult } from "../../policy/apart.ts";
import type { PolicyDocument } from "../../policy/document/schema.ts";
import type { Policy } from "../../policy/evaluate.ts";
import { whyUnknown } from "../../policy/windows/recorded.ts";
import type { Window } from "../../policy/windows/window.ts";
import { createWindowLoader, type LoadWindows } from "./window-loader.ts";
import { withWindows } from "./windows.ts";

/** A situation that a document is tried on. */
export interface Tried extends Asked {
  /** The policy by which what windows count was recorded; undefined: it is not known any more. */
  readonly inForce: Pick<Policy, "document" | "allWindows"> | undefined;
  /** The entry before which its windows end; undefined: they end now. */
  readonly at?: Pick<LedgerEntry, "seq" | "recordedAt"> | undefined;
}

export interface TriedOn {
  readonly ledger: LedgerId;
  readonly document: string;
  readonly tried: readonly Tried[];
  /** See `Trial`. */
  readonly brief?: boolean | undefined;
}

/** Calls `work` with a connection, returns its result, and releases the connection. */
export type ReadWith = <Result>(work: (db: Queryable) => Promise<Result>) => Promise<Result>;

/** Maximum number of situations for which windows are read in one batch. */
const TOGETHER = 25;

/**
 * What a document says of each situation: of those that depend on windows, once these were read. A window of which entries do not say what it
 * came to has no value, and rules that read it are errors.
 */
export async function tryWithWindows(
  run: RunTrial,
  read: ReadWith,
  { ledger, document, tried, brief }: TriedOn,
): Promise<Pick<TrialResult, "hash" | "verdicts">> {
  // What was recorded of a window with the same text may be of another measure.
  const asked = tried.map(({ situation, allowed }) => ({ situation: { ...situation, windows: undefined }, allowed }));
  const first = await run({ document, asked, brief });
  const depending = tried.flatMap((one, place) => {
    const windows = first.windows[place] ?? [];
    return windows.length === 0 ? [] : [{ one, place, windows }];
  });
  if (depending.length === 0) return first;
  const known = await read(async (db) => {
    const load = createWindowLoader(db);
    const found: Asked[] = [];
    // Nothing more is read once a statement has failed.
    for (let from = 0; from < depending.length; from += TOGETHER) {
      const some = depending.slice(from, from + TOGETHER);
      found.push(
        ...(await Promise.all(
          some.map(({ one, windows }) => asFarAsKnown(load, one, windows, first.document, ledger)),
        )),
      );
    }
    return found;
  });
  const again = await run({ document, asked: known, brief });
  const places = new Map(depending.map(({ place }, at) => [place, at]));
  const verdicts = first.verdicts.map((verdict, place) => again.verdicts[places.get(place) ?? -1] ?? verdict);
  return { hash: first.hash, verdicts };
}

async function asFarAsKnown(
  load: LoadWindows,
  { situation, allowed, inForce, at }: Tried,
  windows: readonly Window[],
  document: PolicyDocument,
  ledger: LedgerId,
): Promise<Asked> {
  const unknown = new Map<string, string>();
  for (const window of windows) {
    const why = whyUnknown(window, document, inForce);
    if (why !== undefined) unknown.set(window.text, why);
  }
  const known = windows.filter(({ text }) => !unknown.has(text));
  const texts = new Set(known.map(({ text }) => text));
  const recorded = new Map([...(situation.windows ?? [])].filter(([text]) => texts.has(text)));
  const counted = { ...situation, windows: recorded, unknownWindows: unknown };
  return { situation: await withWindows(load, { windows: () => known }, counted, ledger, at), allowed };
}
