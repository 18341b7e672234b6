import { asError } from "../../errors.ts";
import { instant, type LedgerEntry, type LedgerId, ledgerOf } from "../../facts/entry.ts";
import { Erasable } from "../../facts/erasable.ts";
import type { FactDraft } from "../../facts/registry.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { Logger } from "../../log.ts";
import { type Attribute, createCommit } from "../commit.ts";
import type { AuthenticationReason } from "../identity/errors.ts";
import type { Caller, ClientIdentity, Principal } from "../identity/principal.ts";
import { createTally, type TallyCounts, type TallyLimits, windowOf } from "../tally.ts";

/** The entry type of a recorded read. Following such entries is not recorded as a read. */
export const AUDIT_READ = "AUDIT_READ";
export const AUTHENTICATION_REFUSED = "AUTHENTICATION_REFUSED";

/** What is recorded of a call with a refused token. There is no member for the token, so it cannot be recorded. */
export interface RefusedFacts {
  readonly client?: ClientIdentity | undefined;
  readonly traceId?: string | undefined;
  /** An IP address. */
  readonly address?: string | undefined;
  readonly issuer?: string | undefined;
  /** `jti`. */
  readonly tokenId?: string | undefined;
}

export interface ReadingLog {
  /**
   * Records that `caller` reads `shown` entries of `ledger` by the field `what`. Resolves when they may be returned: the read
   * is in the ledger, or counted and recorded within the minute. Throws LedgerUnavailableError.
   */
  record(caller: Caller, ledger: LedgerId, what: string, shown: number): Promise<void>;
  /**
   * Records that an authentic token of `principal` was refused. Recorded in the background, once a minute for each principal
   * and reason; further refusals in the minute are counted.
   */
  refused(principal: Principal, reason: AuthenticationReason, facts?: RefusedFacts): void;
  /** Records the counts. Call it after the last call has ended, before the ledgers close. Throws UnrecordedCountsError. */
  stop(): Promise<void>;
}

/** Readers, and refused principals, are what is counted. */
export interface ReadingLogOptions extends TallyLimits {
  readonly ledgers: Pick<Ledgers, "append" | "damaged">;
  readonly region: string;
  readonly log: Pick<Logger, "error">;
  /** Finds the session that a reading belongs to. */
  readonly attribute: Attribute | "none";
}

interface ReadSubject {
  readonly ledger: LedgerId;
  readonly caller: Caller;
  /** Of the caller, when the first reading was recorded. */
  session?: string | undefined;
}

/** RFC 3339, as entries have it. */
interface Window {
  readonly from: string;
  readonly to?: string;
}

interface Refused {
  readonly principal: Principal;
  readonly reason: AuthenticationReason;
  readonly facts: RefusedFacts;
}

/** Names hold no control characters, so this separates them. */
const SEPARATOR = "\n";

export function createReadingLog(options: ReadingLogOptions): ReadingLog {
  const { ledgers, region, log, attribute } = options;

  // Also where nothing else is recorded, because the ledger was found changed: people have to look into it.
  const append: typeof ledgers.append = (ledger, body, how) =>
    ledgers.append(ledger, body, { ...how, whenStopped: true });
  const commit = createCommit({ ledgers: { damaged: ledgers.damaged, append }, attribute });
  const record = (
    ledger: LedgerId,
    by: Caller,
    fact: FactDraft,
    session?: () => Promise<string | undefined>,
  ): Promise<LedgerEntry> =>
    commit<undefined, LedgerEntry>({
      ledger,
      by,
      session,
      load: async () => undefined,
      decide: () => ({ kind: "record", fact, result: (entry) => entry }),
    });

  const reads = createTally<ReadSubject>(
    {
      async open(reader, what, shown, from) {
        const { caller, ledger } = reader;
        const read = { from: time(from), reads: { [what]: 1 }, entries: shown };
        const entry = await record(ledger, caller, { type: AUDIT_READ, read });
        const { session } = entry.body;
        if (typeof session === "string") reader.session = session;
      },
      async close({ caller, ledger, session }, counts) {
        const read = { ...windowOf(counts), reads: Object.fromEntries(counts.times), entries: counts.shown };
        // It was read in that session, but nothing more can be recorded in one that has ended.
        const sessions = [session];
        await record(ledger, caller, { type: AUDIT_READ, read }, async () => sessions.shift());
      },
      onError: (error, { ledger, caller }, counts) =>
        log.error(
          {
            err: asError(error),
            ledger,
            principal: caller.principal.id,
            ...plain(counts),
          },
          UNTOLD_READS,
        ),
    },
    options,
  );

  const refusals = createTally<Refused>(
    {
      open: (refused, _what, _shown, from) => recordRefusal(refused, { from: time(from), times: 1 }),
      close: (refused, { times, ...counts }) =>
        recordRefusal(refused, { ...windowOf(counts), times: times.get(refused.reason) ?? 0 }),
      onError: (error, refused, counts) => untoldRefusal(error, refused, plain(counts)),
    },
    options,
  );

  function recordRefusal(
    { principal, reason, facts }: Refused,
    refused: Window & { readonly times: number },
  ): Promise<LedgerEntry> {
    const { client = UNKNOWN_CLIENT, traceId, address, issuer, tokenId } = facts;
    const fact: FactDraft<"AUTHENTICATION_REFUSED"> = {
      type: AUTHENTICATION_REFUSED,
      address: address === undefined ? undefined : new Erasable(address),
      reason,
      refused: { ...refused, issuer, tokenId },
    };
    return record(
      ledgerOf(principal.organization, region),
      { principal, client, traceId },
      fact,
      async () => undefined,
    );
  }

  function untoldRefusal(error: unknown, { principal, reason }: Refused, facts: object): void {
    const { id, organization } = principal;
    log.error({ err: asError(error), organization, principal: id, reason, ...facts }, UNTOLD_REFUSAL);
  }

  return {
    record: (caller, ledger, what, shown) =>
      reads.add(
        `${caller.sessionId ?? ""}${SEPARATOR}${readerKey(ledger, caller.principal)}`,
        () => ({ caller, ledger }),
        what,
        shown,
      ),
    refused(principal, reason, facts = {}) {
      const refused = { principal, reason, facts };
      const key = `${reason}${SEPARATOR}${readerKey(ledgerOf(principal.organization, region), principal)}`;
      refusals.add(key, () => refused, reason, 0).catch((error: unknown) => untoldRefusal(error, refused, {}));
    },
    async stop() {
      const outcomes = await Promise.allSettled([reads.stop(), refusals.stop()]);
      for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    },
  };
}

const UNTOLD_READS = "what was read could not be recorded yet";
const UNTOLD_REFUSAL = "that a token was refused could not be recorded";
const UNKNOWN_CLIENT: ClientIdentity = {
  name: "unknown",
  confidence: "UNKNOWN",
  modelConfidence: "UNKNOWN",
  evidence: {},
};

function readerKey(ledger: LedgerId, { kind, id, onBehalfOf }: Principal): string {
  return [ledger, kind, id, onBehalfOf?.id ?? ""].join(SEPARATOR);
}

function time(milliseconds: number): string {
  return instant(new Date(milliseconds));
}

function plain({ from, to, times, shown }: TallyCounts) {
  return {
    ...windowOf({ from, to }),
    times: Object.fromEntries(times),
    entries: shown,
  };
}
