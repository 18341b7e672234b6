import { isDeepStrictEqual } from "node:util";
import { OWN_PLATFORM } from "../../facts/areas/policy.ts";
import { factOfType } from "../../facts/decode.ts";
import { instant, type LedgerEntry, type LedgerId } from "../../facts/entry.ts";
import type { Queryable } from "../../ledger/read.ts";
import { searchEntries } from "../../ledger/search.ts";
import { recordedSituation } from "../actions/proposing/situation.ts";
import { withWindows } from "../actions/proposing/windows.ts";
import { termsOf } from "../actions/terms.ts";
import type { Directory } from "../directory/directory.ts";
import type { Principal } from "../identity/principal.ts";
import { withListErrors } from "../ledger-errors.ts";
import type { Asked, TryPolicy } from "../policy/apart.ts";
import type { Verdict } from "../policy/compile.ts";
import type { PolicyOutcome, Requirement } from "../policy/evaluate.ts";
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
interface Replayed extends Asked {
  readonly proposal: LedgerEntry;
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
  /** Evaluates once more where it shows that windows have to be read. */
  async function evaluated(
    db: Queryable,
    ledger: LedgerId,
    by: Principal,
    document: string,
    replayed: readonly Replayed[],
  ): Promise<{ readonly asked: readonly Asked[]; readonly verdicts: readonly Verdict[] }> {
    const plain = replayed.map(({ situation, allowed }) => ({ situation, allowed }));
    const { windows, verdicts } = await tryPolicy(by, { document, asked: plain, brief: true });
    if (windows.every((all) => all.length === 0)) return { asked: plain, verdicts };
    const asked: Asked[] = [];
    for (const [at, { proposal, situation, allowed }] of replayed.entries()) {
      const policy = { windows: () => windows[at] ?? [] };
      asked.push({ situation: await withWindows(db, policy, situation, ledger, proposal), allowed });
    }
    return { asked, verdicts: (await tryPolicy(by, { document, asked, brief: true })).verdicts };
  }

  return async (db, ledger, by, document, days) => {
    const since = instant(new Date(Date.now() - days * DAY_MS));
    const status = directory.statusOf(by.organization);
    const read = await proposalsSince(db, ledger, since);
    const replayed = read.proposals.flatMap((proposal): readonly Replayed[] => {
      const { isWhole, ...situation } = recordedSituation(proposal, new Date(proposal.recordedAt));
      if (!isWhole || situation.platform === OWN_PLATFORM) return [];
      return [{ proposal, situation, allowed: status?.platformsOf(termsOf(proposal).requestedBy.id) }];
    });
    const { asked, verdicts } = await evaluated(db, ledger, by, document, replayed);
    const changes = replayed.flatMap(({ proposal }, at): readonly SimulatedChange[] => {
      const { policy } = factOfType(proposal, "ACTION_PROPOSED");
      const [verdict, one] = [verdicts[at], asked[at]];
      if (verdict === undefined || one === undefined) throw new Error("a proposal was not evaluated");
      const { outcome: after, requirements } = verdict;
      const isSame = after === policy.outcome && isDeepStrictEqual(numbers(requirements), numbers(policy.requirements));
      return isSame ? [] : [{ proposal, before: policy.outcome, after, asked: one }];
    });
    return {
      actions: replayed.length,
      complete: read.complete,
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

/** Who has to approve, and how many: what requirements have beside that is compared by whoever looks at the explanation. */
function numbers(requirements: readonly Pick<Requirement, "group" | "needed">[]): readonly string[] {
  return requirements.map(({ group, needed }) => JSON.stringify([group, needed])).sort();
}
