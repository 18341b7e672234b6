import type { JsonObject } from "../facts/canonical.ts";
import type { EntryState } from "./rows.ts";
import type { Rules, StateStatus } from "./rules.ts";
import { toInstant } from "./state-row.ts";
import type { LedgerProblem } from "./verdict.ts";

/** What later entries need to know of a thing at one version. */
export interface Stage {
  readonly status: StateStatus;
  /** RFC 3339 with six decimals; undefined: it does not expire. */
  readonly expiresAt: string | undefined;
  readonly state: JsonObject;
}

export function stageOf(state: JsonObject): Stage {
  const { status, expiresAt } = state;
  return {
    status: typeof status === "string" ? status : undefined,
    expiresAt: typeof expiresAt === "string" ? toInstant(expiresAt) : undefined,
    state,
  };
}

/** The version of a state that an entry changes or depends on. */
export interface Claim {
  readonly seq: bigint;
  readonly kind: string;
  readonly id: string;
  readonly version: number;
  /** What it changes the state to; undefined when it only depends on it. */
  readonly to: Stage | undefined;
  /** The body of the entry; of one that is kept, what `Rules.remembered` returns of it. */
  readonly body: JsonObject;
  readonly recordedAt: string;
}

/** The entries about a thing that later ones are judged by, as `Rules.remembered` returns them. */
export interface History {
  readonly maker: JsonObject;
  readonly votes: readonly JsonObject[];
}

/** What is known of a thing at one version. */
export interface Past {
  /** Position of the entry that made this version; undefined when there is none. */
  readonly seq: bigint | undefined;
  /** Position of the entry that made the next one. */
  readonly nextSeq: bigint | undefined;
  /** Undefined when the entry does not have it: then that is the problem. */
  readonly stage: Stage | undefined;
  /** Undefined when it is not known: then nothing is said by it. */
  readonly history: History | undefined;
}

/**
 * Why an entry may not claim what it does; none when it may, or when nothing can be said. Across pieces, that a
 * thing moves on one version at a time is told by state rows, which list their entries.
 */
export function claimProblems(claim: Claim, past: Past, rules: Rules): LedgerProblem[] {
  const details =
    claim.to === undefined ? restProblems(claim, past, rules) : changeProblems(claim, claim.to, past, rules);
  return details.map((detail) => ({ verdict: "ILLEGAL_STEP", seq: claim.seq, detail }));
}

function restProblems(claim: Claim, past: Past, rules: Rules): readonly string[] {
  const { seq, kind, id, version, body, recordedAt } = claim;
  if (past.seq === undefined && past.nextSeq === undefined) {
    return [`it depends on version ${version} of ${kind} ${id}, which no state row has`];
  }
  const began = past.seq !== undefined && past.seq < seq;
  if (!began || (past.nextSeq !== undefined && past.nextSeq < seq)) {
    return [`it depends on version ${version} of ${kind} ${id}, which it did not have then`];
  }
  const { stage, history } = past;
  const problems: string[] = [];
  if (stage?.expiresAt !== undefined && stage.expiresAt <= recordedAt) {
    problems.push(`it depends on ${kind} ${id}, which had expired at ${stage.expiresAt}`);
  }
  if (stage === undefined || history === undefined) return problems;
  const found = rules.checkDependent?.({ kind, body, recordedAt, before: stage.state, maker: history.maker }) ?? [];
  return [...problems, ...found.map((problem) => `it depends on ${kind} ${id}: ${problem}`)];
}

function changeProblems(
  { kind, id, body, recordedAt }: Claim,
  stage: Stage,
  past: Past,
  rules: Rules,
): readonly string[] {
  const { stage: before, history } = past;
  if (before === undefined) return [];
  if (rules.isLegalStep?.(kind, before.status, stage.status, typeOf(body)) === false) {
    const [from, to] = [before.status ?? "no status", stage.status ?? "no status"];
    return [`${kind} ${id} may not go from ${from} to ${to} by an entry of type ${typeOf(body)}`];
  }
  if (history === undefined) return [];
  const sequel = { kind, body, recordedAt, before: before.state, after: stage.state, ...history };
  return (rules.checkSequel?.(sequel) ?? []).map((problem) => `${kind} ${id}: ${problem}`);
}

/** Why the first state of a subject is not legal. */
export function beginningProblem(
  seq: bigint,
  { kind, id }: EntryState,
  { status }: Stage,
  body: JsonObject,
  rules: Rules,
): LedgerProblem | undefined {
  if (rules.isLegalStep?.(kind, null, status, typeOf(body)) !== false) return undefined;
  const detail = `${kind} ${id} may not begin with ${status ?? "no status"} by an entry of type ${typeOf(body)}`;
  return { verdict: "ILLEGAL_STEP", seq, detail };
}

/** Why an entry may not make this version of a thing that an entry before it brought to version `had`. */
export function versionProblem(seq: bigint, { kind, id, version }: EntryState, had: number): LedgerProblem | undefined {
  if (version === had + 1) return undefined;
  return {
    verdict: "ILLEGAL_STEP",
    seq,
    detail: `it makes version ${version} of ${kind} ${id}, which had version ${had}`,
  };
}

function typeOf({ type }: JsonObject): string {
  return typeof type === "string" ? type : "";
}
