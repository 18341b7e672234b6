import { LRUCache } from "lru-cache";
import type { Fact } from "../../../facts/registry.ts";
import { type HashedEntry, type Step, stepOf } from "./entries.ts";

type Proposed = Fact<"ACTION_PROPOSED">;

/** Who approved, and how. */
export interface Approval {
  readonly entry: HashedEntry;
  readonly actor: Proposed["actor"];
  readonly channel: string;
  readonly assurance: string | undefined;
  /** Id of the person whose right it was, where it was lent. */
  readonly rightOf: string | undefined;
  /** That one person approved alone, in an emergency. */
  readonly brokenGlass: boolean;
}

/** What entries say of an action, up to one of them. */
export interface ActionHistory {
  readonly proposal: HashedEntry;
  readonly proposed: Proposed;
  readonly approvals: readonly Approval[];
  /** The entry by which its grant was redeemed. */
  readonly started: HashedEntry | undefined;
  /** How many entries have moved it. */
  readonly version: number;
}

/** A step, and the history of its action with it. */
export interface Told {
  readonly step: Step;
  readonly history: ActionHistory;
}

/**
 * The entries that move an action, at a position or before it, oldest first: those that the reader may see. Of those after its start any may
 * be left out.
 */
export type LoadSteps = (actionId: string, until: bigint) => Promise<readonly HashedEntry[]>;

/** Tells of each entry, in the order of the ledger, what its action has come to. */
export interface Histories {
  /**
   * undefined: the entry moves no action. UNSEEN: what came before it is not there, or the reader may not see it. Throws what `load`
   * throws, and LedgerDamagedError.
   */
  take(entry: HashedEntry): Promise<Told | "UNSEEN" | undefined>;
}

/** Histories of open actions that are remembered, counted with what is in them; those that are not are loaded when they are needed. */
const REMEMBERED = 50_000;
const OVER: readonly string[] = ["DENIED", "BLOCKED", "EXPIRED", "CANCELLED", "SUCCEEDED", "FAILED"];

export function createHistories(load: LoadSteps): Histories {
  const known = new LRUCache<string, ActionHistory>({ maxSize: REMEMBERED, sizeCalculation: sizeOf });
  return {
    async take(entry) {
      const step = stepOf(entry);
      if (step === undefined) return undefined;
      const { actionId, version } = step;
      let before = known.get(actionId);
      if (version > 1 && !isBehind(before, version)) before = historyOf(await load(actionId, entry.seq - 1n));
      const history = advance(before, step);
      if (history === undefined) return "UNSEEN";
      if (OVER.includes(step.status)) known.delete(actionId);
      else known.set(actionId, history);
      return { step, history };
    },
  };
}

function sizeOf({ proposed: { lineage }, approvals }: ActionHistory): number {
  return 1 + approvals.length + (lineage?.observed.length ?? 0) + (lineage?.possible.length ?? 0);
}

function historyOf(entries: readonly HashedEntry[]): ActionHistory | undefined {
  let history: ActionHistory | undefined;
  for (const entry of entries) {
    const step = stepOf(entry);
    history = step && advance(history, step);
    if (history === undefined) return undefined;
  }
  return history;
}

/**
 * Whether nothing that a history has can be missing between `before` and the step that makes `version`: once an action was started, steps
 * change nothing of what led to it, and a caller that says it is still at work may leave any number of them.
 */
function isBehind(before: ActionHistory | undefined, version: number): before is ActionHistory {
  if (before === undefined) return false;
  return before.version === version - 1 || (before.started !== undefined && before.version < version);
}

/** `before` with `step`; undefined where a step between them is missing. */
function advance(before: ActionHistory | undefined, { entry, fact, version }: Step): ActionHistory | undefined {
  if (fact.type === "ACTION_PROPOSED") {
    return version === 1 ? { proposal: entry, proposed: fact, approvals: [], started: undefined, version } : undefined;
  }
  if (!isBehind(before, version)) return undefined;
  if (fact.type === "GRANT_REDEEMED") return { ...before, started: entry, version };
  if (fact.type !== "ACTION_APPROVED" && fact.type !== "ACTION_BROKEN_GLASS") return { ...before, version };
  const { actor } = fact;
  const how =
    fact.type === "ACTION_APPROVED"
      ? { channel: fact.decision.channel, assurance: fact.decision.assurance, rightOf: fact.decision.delegatedBy?.id }
      : { channel: fact.channel, assurance: undefined, rightOf: undefined };
  const brokenGlass = fact.type === "ACTION_BROKEN_GLASS";
  return { ...before, approvals: [...before.approvals, { entry, actor, ...how, brokenGlass }], version };
}
