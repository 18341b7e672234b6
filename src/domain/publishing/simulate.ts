import { OWN_PLATFORM } from "../../facts/areas/policy.ts";
import { factOfType } from "../../facts/decode.ts";
import { instant, type LedgerEntry, type LedgerId } from "../../facts/entry.ts";
import type { Queryable } from "../../ledger/read.ts";
import { searchEntries } from "../../ledger/search.ts";
import { recordedSituation } from "../actions/proposing/situation.ts";
import { createWindowLoader } from "../actions/proposing/window-loader.ts";
import { withWindows } from "../actions/proposing/windows.ts";
import { termsOf } from "../actions/terms.ts";
import type { Directory } from "../directory/directory.ts";
import type { Principal } from "../identity/principal.ts";
import { withListErrors } from "../ledger-errors.ts";
import type { Asked, TryPolicy } from "../policy/apart.ts";
import type { Verdict } from "../policy/compile.ts";
import type { PolicyOutcome } from "../policy/evaluate.ts";
import { areAlike } from "../policy/requirements.ts";
import type { RuleExplanation } from "../policy/rules.ts";

/** Days that can be replayed. */
export const MAX_DAYS = 90;
export const DEFAULT_DAYS = 30;
/** Proposals that are replayed at most, the latest first. */
export const MAX_SIMULATED = 2_000;
const BATCH = 200;
const DAY_MS = 86_400_000;

/** A proposal that another policy would lead to something else. */
export interface SimulatedChange {
  readonly proposal: LedgerEntry;
  readonly before: PolicyOutcome;
  readonly after: PolicyOutcome;
  readonly asked: Asked;
}

export interface Simulation {
  /** How many proposals were evaluated. */
  readonly actions: number;
  /** Whether these are all of the period. */
  readonly complete: boolean;
  /** Those that would lead to another outcome, or require other approvals; the latest first. */
  readonly changes: readonly SimulatedChange[];
  /** What each rule says of these changes, in their order. */
  explain(changes: readonly SimulatedChange[]): Promise<readonly (readonly RuleExplanation[])[]>;
}

/** A proposal, and what it is evaluated for. */
interface Replayed {
  readonly proposal: LedgerEntry;
  readonly asked: Asked;
}

export interface SimulationsOptions {
  readonly directory: Pick<Directory, "statusOf">;
  readonly tryPolicy: TryPolicy;
}

/**
 * Evaluates a document for what was proposed in the last `days`, as it was then: arguments, callers, clients, time, and what windows came to. Agents have
 * the platforms that they have now. Proposals whose arguments were erased, and those that the server itself carries out, are not among them. Throws
 * PolicyDocumentError, PolicyTooSlowError, BusyError.
 */
export type SimulatePolicy = (
  db: Queryable,
  ledger: LedgerId,
  by: Principal,
  document: string,
  days: number,
) => Promise<Simulation>;

export function createSimulatePolicy({ directory, tryPolicy }: SimulationsOptions): SimulatePolicy {
  /** Evaluates once more where it shows that windows have to be read. Nothing is read before it is one's turn. */
  async function evaluated(
    { db, ledger }: { readonly db: Queryable; readonly ledger: LedgerId },
    by: Principal,
    document: string,
    read: () => Promise<readonly Replayed[]>,
  ): Promise<{ readonly replayed: readonly Replayed[]; readonly verdicts: readonly Verdict[] }> {
    let replayed: readonly Replayed[] = [];
    const { windows, verdicts } = await tryPolicy(by, async () => {
      replayed = await read();
      return { document, asked: replayed.map(({ asked }) => asked), brief: true };
    });
    if (windows.every((all) => all.length === 0)) return { replayed, verdicts };
    const withValues: Replayed[] = [];
    for (const [at, { proposal, asked }] of replayed.entries()) {
      const policy = { windows: () => windows[at] ?? [] };
      const situation = await withWindows(createWindowLoader(db), policy, asked.situation, ledger, proposal);
      withValues.push({ proposal, asked: { ...asked, situation } });
    }
    const again = await tryPolicy(by, { document, asked: withValues.map(({ asked }) => asked), brief: true });
    return { replayed: withValues, verdicts: again.verdicts };
  }

  return async (db, ledger, by, document, days) => {
    const since = instant(new Date(Date.now() - days * DAY_MS));
    const status = directory.statusOf(by.organization);
    let complete = true;
    const { replayed, verdicts } = await evaluated({ db, ledger }, by, document, async () => {
      const read = await proposalsSince(db, ledger, since);
      complete = read.complete;
      return read.proposals.flatMap((proposal): readonly Replayed[] => {
        const { isWhole, ...situation } = recordedSituation(proposal, new Date(proposal.recordedAt));
        if (!isWhole || situation.platform === OWN_PLATFORM) return [];
        const allowed = status?.platformsOf(termsOf(proposal).requestedBy.id);
        return [{ proposal, asked: { situation, allowed } }];
      });
    });
    const changes = replayed.flatMap(({ proposal, asked }, at): readonly SimulatedChange[] => {
      const { policy } = factOfType(proposal, "ACTION_PROPOSED");
      const verdict = verdicts[at];
      if (verdict === undefined) throw new Error("a proposal was not evaluated");
      const { outcome: after, requirements } = verdict;
      const isSame =
        after === policy.outcome && areAlike(requirements, policy.requirements, new Date(proposal.recordedAt));
      return isSame ? [] : [{ proposal, before: policy.outcome, after, asked }];
    });
    return {
      actions: replayed.length,
      complete,
      changes,
      async explain(some) {
        const { verdicts: explained } = await tryPolicy(by, { document, asked: some.map((one) => one.asked) });
        return explained.map(({ explanation }) => explanation);
      },
    };
  };
}

async function proposalsSince(
  db: Queryable,
  ledger: LedgerId,
  recordedFrom: string,
): Promise<{ readonly proposals: readonly LedgerEntry[]; readonly complete: boolean }> {
  const proposals: LedgerEntry[] = [];
  for (let before: bigint | undefined; proposals.length < MAX_SIMULATED; ) {
    const range = { before, limit: BATCH, newestFirst: true };
    const filter = { types: ["ACTION_PROPOSED"], recordedFrom };
    const page = await withListErrors(searchEntries(db, ledger, filter, range));
    proposals.push(...page);
    before = page.at(-1)?.seq;
    if (page.length < BATCH) return { proposals, complete: true };
  }
  return { proposals, complete: false };
}
