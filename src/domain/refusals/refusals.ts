import { asError } from "../../errors.ts";
import { bodyOf } from "../../facts/encode.ts";
import { instant, type LedgerEntry, type LedgerId } from "../../facts/entry.ts";
import type { FactDraft } from "../../facts/registry.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { Logger } from "../../log.ts";
import type { Caller } from "../identity/principal.ts";
import { callerFacts } from "../identity/recorded.ts";
import { createTally } from "../reading-log/tally.ts";

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
  /** Records the counts. Call it after the last call has ended, before the ledgers close. Throws UnrecordedReadsError. */
  stop(): Promise<void>;
}

export interface RefusalsOptions {
  readonly ledgers: Pick<Ledgers, "append">;
  readonly log: Pick<Logger, "error">;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** Milliseconds that are counted together. */
  readonly window?: number;
  /** Different attempts that are counted at a time. */
  readonly capacity?: number;
}

const MINUTE = 60_000;
const CAPACITY = 10_000;

interface Attempt {
  readonly ledger: LedgerId;
  readonly caller: Caller;
  readonly fact: RefusedFact;
  readonly append: () => Promise<LedgerEntry>;
  /** Of the first in the minute, once it is recorded. */
  entry?: LedgerEntry;
}

export function createRefusals(options: RefusalsOptions): Refusals {
  const { ledgers, log, now = Date.now, window = MINUTE, capacity = CAPACITY } = options;
  const tally = createTally<Attempt>({
    now,
    window,
    capacity,
    async open(attempt) {
      attempt.entry = await attempt.append();
    },
    async close({ ledger, caller, fact }, { from, to, times }) {
      const refused = {
        from: instant(new Date(from)),
        to: instant(new Date(to)),
        times: times.get(fact.reason) ?? 0,
      };
      await ledgers.append(ledger, bodyOf(callerFacts(caller, undefined), { ...withoutNote(fact), refused }));
    },
    onError: (error, { ledger, caller, fact }, { from, to, times }) =>
      log.error(
        {
          err: asError(error),
          ledger,
          principal: caller.principal.id,
          action: fact.action,
          reason: fact.reason,
          times: times.get(fact.reason),
          from: instant(new Date(from)),
          to: instant(new Date(to)),
        },
        "repeated refusals could not be recorded yet",
      ),
  });

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
