import type { LedgerId } from "../../facts/entry.ts";
import type { LedgerProblem } from "../../verify/verdict.ts";
import { MAX_PROBLEMS } from "../verify/limits.ts";
import { type Acknowledgement, hasRoom, keyOf, unacknowledged, type WatchProblem } from "./problems.ts";

/** Problems that a verification of a ledger in which many were acknowledged names at most. */
const MAX_LIMIT = 10_000;

export type LedgerCondition = "OK" | "SUSPECT" | "STOPPED";

/** What the watcher of this process knows of a ledger. */
export interface LedgerHealth {
  readonly ledger: LedgerId;
  readonly condition: LedgerCondition;
  /** The last position that was verified, with all before it that this process had not verified earlier. */
  readonly verifiedTo: bigint;
  readonly checkedAt: Date;
  /** What was found and not acknowledged. */
  readonly problems: readonly LedgerProblem[];
}

/** A ledger as the watcher knows it. */
export class Watched {
  readonly ledger: LedgerId;
  /** The last entry that was verified, and its hash where this process has computed it. */
  verified: { readonly seq: bigint; readonly hash: string | undefined; readonly seenAt: Date };
  checkedAt: Date;
  /** The last position when it was first looked at. */
  reach = 0n;
  /** Once it was looked at in this process. */
  looked: Promise<void> | undefined;
  /** Verifications that failed in a row, and when it is tried again, by `performance.now()`. */
  failures = 0;
  retryAt = 0;
  /** When it last had new entries, and when its end is verified again, by `performance.now()`. */
  movedAt = performance.now();
  tailDue = Number.POSITIVE_INFINITY;
  /** Which finding about the guards was noted. */
  guards = 0;
  acknowledgements: readonly Acknowledgement[] = [];
  /** The position up to which acknowledgements were read; undefined: none were. */
  acknowledgedTo: bigint | undefined;
  readonly listeners = new Set<() => void>();
  readonly #problems = new Map<string, WatchProblem>();

  constructor(ledger: LedgerId, since: Date) {
    this.ledger = ledger;
    this.verified = { seq: 0n, hash: undefined, seenAt: since };
    this.checkedAt = since;
  }

  get problems(): readonly WatchProblem[] {
    return [...this.#problems.values()];
  }

  /** Whether something is known that keeps entries from being recorded. */
  get isTroubled(): boolean {
    for (const { warning } of this.#problems.values()) if (warning !== true) return true;
    return false;
  }

  /** How many problems a verification has to name so that acknowledged ones do not hide others. */
  get limit(): number {
    const acknowledged = this.acknowledgements.reduce((sum, { problems }) => sum + problems.length, 0);
    return Math.min(MAX_PROBLEMS + acknowledged, MAX_LIMIT);
  }

  /** Whether `problem` adds nothing to what is known, or there is no room for it. */
  knows(problem: WatchProblem): boolean {
    const known = this.#problems.get(keyOf(problem));
    if (known === undefined) return !hasRoom(this.#problems.values(), problem);
    return (problem.heads ?? []).every((head) => isAmong(head, known));
  }

  /** Adds what is not acknowledged of `problem`. Returns it if it is new. */
  add(problem: WatchProblem): WatchProblem | undefined {
    const left = unacknowledged(problem, this.acknowledgements);
    if (left === undefined) return undefined;
    const key = keyOf(problem);
    const known = this.#problems.get(key);
    if (known === undefined) {
      this.#problems.set(key, left);
      return left;
    }
    const more = (left.heads ?? []).filter((head) => !isAmong(head, known));
    const heads = [...(known.heads ?? []), ...more].toSorted((a, b) => (a.seq < b.seq ? -1 : 1));
    if (more.length > 0) this.#problems.set(key, { ...known, heads });
    return undefined;
  }

  /** Forgets what is acknowledged. Returns whether that was something. */
  settle(): boolean {
    let settled = false;
    for (const [key, problem] of this.#problems) {
      const left = unacknowledged(problem, this.acknowledgements);
      if (left !== undefined && left.heads?.length === problem.heads?.length) continue;
      settled = true;
      if (left === undefined) this.#problems.delete(key);
      else this.#problems.set(key, left);
    }
    return settled;
  }

  changed(): void {
    for (const listener of this.listeners) listener();
  }
}

function isAmong(head: { readonly seq: bigint; readonly hash: string }, { heads = [] }: WatchProblem): boolean {
  return heads.some(({ seq, hash }) => seq === head.seq && hash === head.hash);
}
