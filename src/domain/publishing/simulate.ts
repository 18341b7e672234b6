import { SnapshotTooLargeError } from "../../db/snapshot.ts";
import { OWN_PLATFORM } from "../../facts/areas/policy.ts";
import { factOfType } from "../../facts/decode.ts";
import { instant, type LedgerEntry, type LedgerId } from "../../facts/entry.ts";
import { type Queryable, readEntries } from "../../ledger/read.ts";
import { searchEntries } from "../../ledger/search.ts";
import { recordedSituation } from "../actions/proposing/situation.ts";
import { type ReadWith, type Tried, tryWithWindows } from "../actions/proposing/tried-windows.ts";
import { termsOf } from "../actions/terms.ts";
import type { Directory } from "../directory/directory.ts";
import type { Principal } from "../identity/principal.ts";
import { withListErrors } from "../ledger-errors.ts";
import type { TryPolicy } from "../policy/apart.ts";
import type { PolicyOutcome, Requirement } from "../policy/evaluate.ts";
import type { Policies } from "../policy/policies.ts";
import { areAlike } from "../policy/requirements.ts";
import type { RuleExplanation } from "../policy/rules.ts";

/** Days that can be replayed. */
export const MAX_DAYS = 90;
export const DEFAULT_DAYS = 30;
/** Proposals that are replayed at most, the latest first. */
export const MAX_SIMULATED = 2_000;
/** Characters of the arguments of all that are replayed, written as JSON. */
export const MAX_ARGUMENTS = 8 * 1024 * 1024;
/** Proposals that are read at once: few at first, because each can be large. */
const FIRST_PAGE = 16;
const PAGE = 200;
const DAY_MS = 86_400_000;

/** A proposal that another policy would lead to something else. */
export interface SimulatedChange {
  readonly seq: bigint;
  /** When it was proposed; RFC 3339. */
  readonly recordedAt: string;
  readonly action: string;
  readonly before: PolicyOutcome;
  readonly after: PolicyOutcome;
}

export interface Simulation {
  /** How many proposals were evaluated. */
  readonly actions: number;
  /** When the earliest of them was recorded, where there are earlier ones in the period; undefined: these are all. */
  readonly stoppedAt: string | undefined;
  /** Those that would lead to another outcome, or require other approvals; the latest first. */
  readonly changes: readonly SimulatedChange[];
  /** What each rule says of these changes, in their order; nothing of one whose arguments were erased since. */
  explain(changes: readonly SimulatedChange[]): Promise<readonly (readonly RuleExplanation[])[]>;
}

/** A proposal, what it is evaluated for, and what that led to. Without its entry: there may be many. */
interface Replayed extends Tried {
  readonly at: Pick<LedgerEntry, "seq" | "recordedAt">;
  readonly action: string;
  readonly outcome: PolicyOutcome;
  readonly requirements: readonly Requirement[];
}

export interface SimulationsOptions {
  readonly directory: Pick<Directory, "statusOf">;
  readonly policies: Pick<Policies, "open" | "withHash" | "of">;
  readonly tryPolicy: TryPolicy;
  /** MAX_ARGUMENTS unless given. */
  readonly maxArguments?: number;
}

export interface SimulationInput {
  readonly ledger: LedgerId;
  readonly by: Principal;
  /** YAML or JSON. */
  readonly document: string;
  readonly days: number;
}

/**
 * Evaluates a document for what was proposed in the last `days`, as it was then: arguments, callers, clients, time, and what windows came to. Agents have
 * the platforms that they have now. Proposals whose arguments were erased, and those that the server itself carries out, are not among them. `read` is
 * called once it is one's turn, and nothing that was read is held while waiting. Throws PolicyDocumentError, PolicyTooSlowError, BusyError.
 */
export type SimulatePolicy = (read: ReadWith, input: SimulationInput) => Promise<Simulation>;

export function createSimulatePolicy(options: SimulationsOptions): SimulatePolicy {
  const { directory, policies, tryPolicy, maxArguments = MAX_ARGUMENTS } = options;

  /** Undefined: it is not replayed. */
  function replayedOf(proposal: LedgerEntry, { organization }: Principal): Replayed | undefined {
    const { isWhole, ...situation } = recordedSituation(proposal, new Date(proposal.recordedAt));
    if (!isWhole || situation.platform === OWN_PLATFORM) return undefined;
    const { policy } = factOfType(proposal, "ACTION_PROPOSED");
    const { seq, recordedAt, body } = proposal;
    return {
      at: { seq, recordedAt },
      action: String(body.action),
      outcome: policy.outcome,
      requirements: policy.requirements,
      situation,
      allowed: directory.statusOf(organization)?.platformsOf(termsOf(proposal).requestedBy.id),
      inForce: policies.withHash(organization, policy.hash),
    };
  }

  return async (read, { ledger, by, document, days }) => {
    const since = instant(new Date(Date.now() - days * DAY_MS));
    return tryPolicy(by, async (run) => {
      await policies.open(by.organization);
      const { replayed, stoppedAt } = await read((db) =>
        replay(db, ledger, since, maxArguments, (proposal) => replayedOf(proposal, by)),
      );
      const { verdicts } = await tryWithWindows(run, read, { ledger, document, tried: replayed, brief: true });
      const changes = replayed.flatMap(({ at: { seq, recordedAt }, action, outcome: before, requirements }, at) => {
        const verdict = verdicts[at];
        if (verdict === undefined) throw new Error("a proposal was not evaluated");
        const { outcome: after } = verdict;
        const isSame = after === before && areAlike(verdict.requirements, requirements, new Date(recordedAt));
        return isSame ? [] : [{ seq, recordedAt, action, before, after }];
      });
      return { actions: replayed.length, stoppedAt, changes, explain };
    });

    async function explain(changes: readonly SimulatedChange[]) {
      return tryPolicy(by, async (run) => {
        await policies.open(by.organization);
        const seqs = changes.map(({ seq }) => seq);
        const tried = (await read((db) => withListErrors(readEntries(db, ledger, seqs)))).flatMap(
          (proposal) => replayedOf(proposal, by) ?? [],
        );
        const { verdicts } = await tryWithWindows(run, read, { ledger, document, tried });
        const explained = new Map(tried.map(({ at: { seq } }, at) => [seq, verdicts[at]?.explanation]));
        return seqs.map((seq) => explained.get(seq) ?? []);
      });
    }
  };
}

interface Replay {
  readonly replayed: readonly Replayed[];
  readonly stoppedAt: string | undefined;
}

/** What `replayedOf` makes of the proposals since `recordedFrom`, the latest first, as far as the bounds allow. */
async function replay(
  db: Queryable,
  ledger: LedgerId,
  recordedFrom: string,
  maxArguments: number,
  replayedOf: (proposal: LedgerEntry) => Replayed | undefined,
): Promise<Replay> {
  const filter = { types: ["ACTION_PROPOSED"], recordedFrom };
  const replayed: Replayed[] = [];
  let read = 0;
  let size = 0;
  let last: LedgerEntry | undefined;
  for (let limit = FIRST_PAGE; ; limit = Math.min(limit * 2, PAGE)) {
    let page: readonly LedgerEntry[];
    try {
      page = await withListErrors(searchEntries(db, ledger, filter, { before: last?.seq, limit, newestFirst: true }));
    } catch (error) {
      if (last === undefined || !(error instanceof SnapshotTooLargeError)) throw error;
      return { replayed, stoppedAt: last.recordedAt };
    }
    for (const proposal of page) {
      const one = replayedOf(proposal);
      size += one === undefined ? 0 : JSON.stringify(one.situation.arguments).length;
      read += 1;
      if (last !== undefined && (read > MAX_SIMULATED || size > maxArguments)) {
        return { replayed, stoppedAt: last.recordedAt };
      }
      if (one !== undefined) replayed.push(one);
      last = proposal;
    }
    if (page.length < limit) return { replayed, stoppedAt: undefined };
  }
}
