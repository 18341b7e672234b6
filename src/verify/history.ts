import type { JsonObject } from "../facts/canonical.ts";
import type { EntryState } from "./rows.ts";
import type { Rules, StateStatus } from "./rules.ts";
import { toInstant } from "./state-row.ts";
import type { LedgerProblem } from "./verdict.ts";

/** What later entries need to know of a state. */
export interface Stage {
  readonly status: StateStatus;
  /** RFC 3339 with six decimals; undefined: it does not expire. */
  readonly expiresAt: string | undefined;
}

export function stageOf({ status, expiresAt }: JsonObject): Stage {
  return {
    status: typeof status === "string" ? status : undefined,
    expiresAt: typeof expiresAt === "string" ? toInstant(expiresAt) : undefined,
  };
}

/** The version of a state that an entry changes or depends on. */
export interface Claim {
  readonly seq: bigint;
  readonly kind: string;
  readonly id: string;
  readonly version: number;
  /** The status it changes the state to; undefined when it only depends on it. */
  readonly to: Stage | undefined;
  readonly recordedAt: string;
}

/** What is known of a thing at one version. */
export interface Past {
  /** Position of the entry that made this version; undefined when there is none. */
  readonly seq: bigint | undefined;
  /** Position of the entry that made the next one. */
  readonly nextSeq: bigint | undefined;
  /** Undefined when the entry does not have it: then that is the problem. */
  readonly stage: Stage | undefined;
}

/**
 * Why an entry may not claim what it does; undefined when it may, or when nothing can be said. That a thing moves on one
 * version at a time is told by state rows, which list their entries.
 */
export function claimProblem(claim: Claim, past: Past, rules: Rules): LedgerProblem | undefined {
  return claim.to === undefined ? restProblem(claim, past) : stepProblem(claim, claim.to, past, rules);
}

function restProblem({ seq, kind, id, version, recordedAt }: Claim, past: Past): LedgerProblem | undefined {
  const broken = (detail: string): LedgerProblem => ({ verdict: "RULE_BROKEN", seq, detail });
  if (past.seq === undefined && past.nextSeq === undefined) {
    return broken(`it depends on version ${version} of ${kind} ${id}, which no state row has`);
  }
  const began = past.seq !== undefined && past.seq < seq;
  if (!began || (past.nextSeq !== undefined && past.nextSeq < seq)) {
    return broken(`it depends on version ${version} of ${kind} ${id}, which it did not have then`);
  }
  const expiresAt = past.stage?.expiresAt;
  if (expiresAt === undefined || expiresAt > recordedAt) return undefined;
  return broken(`it depends on ${kind} ${id}, which had expired at ${expiresAt}`);
}

function stepProblem({ seq, kind, id }: Claim, to: Stage, past: Past, rules: Rules): LedgerProblem | undefined {
  if (past.stage === undefined || rules.isLegalStep?.(kind, past.stage.status, to.status) !== false) return undefined;
  const [before, after] = [past.stage.status ?? "no status", to.status ?? "no status"];
  return { verdict: "RULE_BROKEN", seq, detail: `${kind} ${id} may not go from ${before} to ${after}` };
}

/** Why the first state of a subject is not legal. */
export function beginningProblem(
  seq: bigint,
  { kind, id }: EntryState,
  { status }: Stage,
  rules: Rules,
): LedgerProblem | undefined {
  if (rules.isLegalStep?.(kind, null, status) !== false) return undefined;
  return { verdict: "RULE_BROKEN", seq, detail: `${kind} ${id} may not begin with ${status ?? "no status"}` };
}
