import { LedgerUnavailableError } from "../../ledger/errors.ts";
import type { PrincipalStatus } from "../directory/directory.ts";
import type { Principal } from "../identity/principal.ts";
import type { Policy } from "../policy/evaluate.ts";
import type { Terms, Today, Voter } from "./action.ts";

export interface JudgeOptions {
  readonly policy: Policy;
  /** Returns undefined when the directory of the organization was not read lately. */
  readonly statusOf?: ((organization: string) => PrincipalStatus | undefined) | undefined;
}

/**
 * What an action that was proposed at position `since`, and that people or the policy allowed, would be given today. Throws
 * LedgerUnavailableError where that is not known.
 */
export type Judge = (terms: Terms, voters: readonly Voter[], since: bigint) => Today;

/** Evaluates today's policy, catalog, platforms of agents and standing of people for actions that are not started yet. */
export function createJudge({ policy, statusOf }: JudgeOptions): Judge {
  return ({ platform, tool, requestedBy }, voters, since) => {
    const directory = statusOf?.(requestedBy.organization);
    if (statusOf !== undefined && directory === undefined) {
      throw new LedgerUnavailableError("the directory of the organization cannot be read now; nothing was recorded", 1);
    }
    // An agent that was not invited has the platforms that it proposed with: none are recorded, so any.
    const allowed = directory?.platformsOf(requestedBy.id);
    const { outcome, requirements, rules } = policy.evaluate(platform, tool, allowed);
    const isSuspended = (id: string, since: bigint) => directory?.isSuspended(id, since) === true;
    const requesters = [requestedBy, ...(requestedBy.onBehalfOf === undefined ? [] : [requestedBy.onBehalfOf])];
    const agents = requesters.filter(({ kind }) => kind === "AGENT");
    const now = (principal: Principal) => isSuspended(principal.id, NEVER);
    return {
      outcome,
      requirements,
      rules: rules.map(({ ruleId }) => ruleId),
      responsible: agents.flatMap(({ id }) => directory?.responsibleFor(id, since) ?? []),
      suspendedRequester: requesters.find(now)?.id,
      suspendedVoter: voters.find(({ id, seq }) => isSuspended(id, seq))?.id,
    };
  };
}

/** A position after every other: whoever is not suspended now was not suspended after it. */
const NEVER = 2n ** 63n;
