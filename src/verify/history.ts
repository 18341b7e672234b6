import type { JsonObject } from "../facts/canonical.ts";
import type { Rules } from "./rules.ts";
import { toInstant } from "./state-row.ts";
import type { LedgerProblem } from "./verdict.ts";

/**
 * What an entry needs to know of the past of a thing that it moves on, or rests on. Positions in between are nobody's
 * business here: that a row lists its entries, each at its version, is compared elsewhere.
 */
export interface Claim {
  readonly seq: bigint;
  readonly kind: string;
  readonly id: string;
  /** The version that the thing had when the entry was recorded. */
  readonly version: number;
  /** The state that the entry gives it; undefined when it only rests on it. */
  readonly to: JsonObject | undefined;
  readonly recordedAt: string;
}

/** What is known of a thing at one version. */
export interface Past {
  /** Position of the entry that made this version; undefined when there is none. */
  readonly seq: bigint | undefined;
  /** Position of the entry that made the next one. */
  readonly nextSeq: bigint | undefined;
  /** Undefined when the entry does not say so: then that is what is wrong. */
  readonly state: JsonObject | undefined;
}

/** Why an entry may not claim what it does; undefined when it may, or when nothing can be said. */
export function claimProblem(claim: Claim, past: Past, rules: Rules): LedgerProblem | undefined {
  const { seq, kind, id, version, to, recordedAt } = claim;
  const broken = (detail: string): LedgerProblem => ({ verdict: "RULE_BROKEN", seq, detail });
  if (to === undefined) {
    if (past.seq === undefined && past.nextSeq === undefined) {
      return broken(`it rests on version ${version} of ${kind} ${id}, of which no state row says that there is one`);
    }
    const began = past.seq !== undefined && past.seq < seq;
    if (!began || (past.nextSeq !== undefined && past.nextSeq < seq)) {
      return broken(`it rests on version ${version} of ${kind} ${id}, which it did not have then`);
    }
    const expiresAt = past.state?.expiresAt;
    if (typeof expiresAt === "string" && toInstant(expiresAt) <= recordedAt) {
      return broken(`it rests on ${kind} ${id}, which had expired at ${expiresAt}`);
    }
    return undefined;
  }
  if (past.state === undefined || rules.isLegalStep?.(kind, past.state, to) !== false) return undefined;
  return broken(stepDetail(kind, id, past.state, to));
}

/** Why a thing may not begin as an entry says. */
export function beginningProblem(
  seq: bigint,
  said: { readonly kind: string; readonly id: string; readonly state: JsonObject },
  rules: Rules,
): LedgerProblem | undefined {
  const { kind, id, state } = said;
  if (rules.isLegalStep?.(kind, undefined, state) !== false) return undefined;
  return { verdict: "RULE_BROKEN", seq, detail: stepDetail(kind, id, undefined, state) };
}

function stepDetail(kind: string, id: string, from: JsonObject | undefined, to: JsonObject): string {
  const [before, after] = [from, to].map((state) => (typeof state?.status === "string" ? state.status : "no status"));
  return from === undefined
    ? `${kind} ${id} may not begin as ${after}`
    : `${kind} ${id} may not go from ${before} to ${after}`;
}
