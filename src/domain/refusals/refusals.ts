import { asError } from "../../errors.ts";
import { bodyOf } from "../../facts/encode.ts";
import type { LedgerEntry, LedgerId } from "../../facts/entry.ts";
import type { FactDraft } from "../../facts/registry.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { Logger } from "../../log.ts";
import type { Caller } from "../identity/principal.ts";
import { callerFacts } from "../identity/recorded.ts";
import { createTally, type TallyLimits, windowOf } from "../tally.ts";

/** A fact that an attempt was refused, of which repeats are counted. */
export type RefusedFact = FactDraft<"DECISION_REFUSED" | "GRANT_REFUSED">;

export interface Refusals {
  /**
   * Records by `append` that `caller` was refused, or counts it when the same was refused before in this minute, and then
   * resolves to undefined. Rejects with the error of `append`.
   */
  record(
    ledger: LedgerId,
    caller: Caller,
    fact: RefusedFact,
    append: () => Promise<LedgerEntry>,
  ): Promise<LedgerEntry | undefined>;
  /** Records the counts. Call it after the last call has ended, before the ledgers close. Throws UnrecordedCountsError. */
  stop(): Promise<void>;
}

/** Different attempts are what is counted. */
export interface RefusalsOptions extends TallyLimits {
  readonly ledgers: Pick<Ledgers, "append">;
  readonly log: Pick<Logger, "error">;
}

interface Attempt {
  readonly ledger: LedgerId;
  readonly caller: Caller;
  readonly fact: RefusedFact;
  readonly append: () => Promise<LedgerEntry>;
  /** Of the first in the minute, once it is recorded. */
  entry?: LedgerEntry;
}

export function createRefusals(options: RefusalsOptions): Refusals {
  const { ledgers, log } = options;
  const tally = createTally<Attempt>(
    {
      async open(attempt) {
        attempt.entry = await attempt.append();
      },
      async close({ ledger, caller, fact }, counts) {
        const refused = { ...windowOf(counts), times: counts.times.get(fact.reason) ?? 0 };
        await ledgers.append(ledger, bodyOf(callerFacts(caller, undefined), { ...withoutNote(fact), refused }));
      },
      onError: (error, { ledger, caller, fact }, counts) =>
        log.error(
          {
            err: asError(error),
            ledger,
            principal: caller.principal.id,
            action: fact.action,
            reason: fact.reason,
            times: counts.times.get(fact.reason),
            ...windowOf(counts),
          },
          "repeated refusals could not be recorded yet",
        ),
    },
    options,
  );

  return {
    async record(ledger, caller, fact, append) {
      const attempt: Attempt = { ledger, caller, fact, append };
      await tally.add(keyOf(attempt), () => attempt, fact.reason, 0);
      return attempt.entry;
    },
    stop: tally.stop,
  };
}

/** What makes attempts the same. Ids and reasons hold no control characters, so these separate them. */
function keyOf({ ledger, caller: { principal }, fact }: Attempt): string {
  const { kind, id, onBehalfOf } = principal;
  const what = fact.type === "DECISION_REFUSED" && "verdict" in fact.decision ? fact.decision.verdict : "";
  return [ledger, kind, id, onBehalfOf?.id ?? "", fact.type, fact.action ?? "", what, fact.reason].join("\n");
}

/** What others said each time is not what the first said. */
function withoutNote(fact: RefusedFact): RefusedFact {
  if (fact.type !== "DECISION_REFUSED") return fact;
  return { ...fact, decision: { ...fact.decision, note: undefined } };
}
