import { factOfType } from "../../facts/decode.ts";
import { instant, type LedgerEntry } from "../../facts/entry.ts";
import { asksSame } from "../../facts/quorum.ts";
import { LedgerUnavailableError } from "../../ledger/errors.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { PrincipalStatus } from "../directory/directory.ts";
import type { Principal } from "../identity/principal.ts";
import type { FindReads } from "../lineage/possible-reads.ts";
import type { Policy, Requirement } from "../policy/evaluate.ts";
import type { Policies } from "../policy/policies.ts";
import type { Today, Voter } from "./action.ts";
import { outdated } from "./carry-out.ts";
import { homePositionOf } from "./home-position.ts";
import { recordedSituation } from "./proposing/situation.ts";
import { createWindowLoader } from "./proposing/window-loader.ts";
import { withWindows } from "./proposing/windows.ts";
import { termsOf } from "./terms.ts";

export interface JudgeOptions {
  readonly db: Queryable;
  readonly policies: Policies;
  readonly findReads: FindReads;
  /** Returns undefined when the directory of the organization was not read lately. */
  readonly statusOf?: ((organization: string) => PrincipalStatus | undefined) | undefined;
}

/**
 * What an action that was proposed, and that people or the policy allowed, would be given at `now`. Throws LedgerUnavailableError
 * where that is not known.
 */
export type Judge = (proposal: LedgerEntry, voters: readonly Voter[], now: Date) => Promise<Today>;

/**
 * Evaluates today's policy, catalog, platforms of agents and standing of people for actions that are not started yet. Windows have the
 * values that were recorded with the proposal; those that a policy reads since end before it: the action counts once, and what came
 * later does not count against it.
 */
export function createJudge({ db, policies, findReads, statusOf }: JudgeOptions): Judge {
  // Lists judge many actions in one turn.
  const load = createWindowLoader(db);
  return async (proposal, voters, now) => {
    const { requestedBy, requirements: asked } = termsOf(proposal);
    const directory = statusOf?.(requestedBy.organization);
    if (statusOf !== undefined && directory === undefined) {
      throw new LedgerUnavailableError("the directory of the organization cannot be read now; nothing was recorded", 1);
    }
    // An agent that was not invited has the platforms that it proposed with: none are recorded, so any.
    const allowed = directory?.platformsOf(requestedBy.id);
    const policy = policies.of(requestedBy.organization);
    const published = policies.publishedBy(requestedBy.organization);
    const { isWhole, sources, ...recorded } = recordedSituation(proposal, now);
    // A policy that asks for reads by now: what was read since counts too, because nobody can tell what was known then.
    const drawn = policy.readsLineage
      ? (sources.reads ?? (await findReads(requestedBy, regionsOf(policy))))
      : undefined;
    const situation = { ...recorded, sources: { ...sources, reads: drawn } };
    const { policy: then } = factOfType(proposal, "ACTION_PROPOSED");
    // Without its arguments, nobody knows what such a policy says of it.
    const known = isWhole || !policy.readsArguments;
    const { outcome, requirements, rules } = known
      ? policy.evaluate(await withWindows(load, policy, situation, proposal.ledger, proposal), allowed)
      : { outcome: then.outcome, requirements: asked, rules: then.rules };
    const isSuspended = (id: string, since: bigint) => directory?.isSuspended(id, since) === true;
    const requesters = [requestedBy, ...(requestedBy.onBehalfOf === undefined ? [] : [requestedBy.onBehalfOf])];
    const agents = requesters.filter(({ kind }) => kind === "AGENT");
    const isOut = (principal: Principal) => isSuspended(principal.id, NEVER);
    const proposedAt = new Date(proposal.recordedAt);
    const shortest = Math.min(...requirements.map(({ ttl = Number.POSITIVE_INFINITY }) => ttl));
    return {
      published,
      outdated: outdated(proposal, published),
      outcome,
      requirements: known ? requirements.map((one) => asAsked(since(one, proposedAt, now), asked)) : asked,
      ttlOver: proposedAt.getTime() + shortest * 1_000 <= now.getTime() ? shortest : undefined,
      rules: rules.map(({ ruleId }) => ruleId),
      responsible: agents.flatMap(({ id }) => directory?.responsibleFor(id, homePositionOf(proposal)) ?? []),
      suspendedRequester: requesters.find(isOut)?.id,
      suspendedVoter: voters
        .flatMap(({ id, seq, delegatedBy }) =>
          (delegatedBy === undefined ? [] : [delegatedBy.id]).concat(id).map((one) => ({ id: one, seq })),
        )
        .find(({ id, seq }) => isSuspended(id, homePositionOf(proposal, seq)))?.id,
    };
  };
}

function regionsOf({ document }: Policy): readonly string[] {
  return [...new Set(Object.values(document.catalog.platforms).map(({ region }) => region))];
}

/** A position after every other: whoever is not suspended now was not suspended after it. */
const NEVER = 2n ** 63n;

/** A requirement of an evaluation at `now`, as one at `then` has it: what escalates does so after the same time. */
function since(requirement: Requirement, then: Date, now: Date): Requirement {
  const { escalation } = requirement;
  if (escalation === undefined) return requirement;
  const after = Date.parse(escalation.at) - now.getTime();
  return { ...requirement, escalation: { ...escalation, at: instant(new Date(then.getTime() + after)) } };
}

/** Milliseconds that the time of a proposal and that of its evaluation may be apart. */
const APART = 60_000;

/**
 * `requirement` with the escalation that was recorded, where it is the same one: it was reckoned from when the policy was evaluated, or began at
 * once because nobody was known whom it asks.
 */
function asAsked(requirement: Requirement, asked: readonly Requirement[]): Requirement {
  const { escalation } = requirement;
  const before = asked.find((one) => asksSame(one, requirement) && one.escalation?.group === escalation?.group);
  if (escalation === undefined || before?.escalation === undefined) return requirement;
  const apart = Math.abs(Date.parse(escalation.at) - Date.parse(before.escalation.at));
  return before.unreached === true || apart <= APART ? { ...requirement, escalation: before.escalation } : requirement;
}
