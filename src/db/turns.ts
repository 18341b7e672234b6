import { DomainError } from "../errors.ts";

/** Too many wait already, or it took too long until it was one's turn. */
export class BusyError extends DomainError<"RATE_LIMITED"> {
  readonly retryAfterSeconds: number;

  constructor(why: string, retryAfterSeconds = 1) {
    const then = retryAfterSeconds === 1 ? "a second" : `${retryAfterSeconds} seconds`;
    super("RATE_LIMITED", `${why} Try again in ${then}, with fewer at a time.`);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Who may use what there are few of, in turn by organization, and by principal within one. */
export interface Turns {
  /**
   * Resolves when it is the turn of `organization`, and in it of `principal`, to a function that ends the turn; further calls of that do
   * nothing. Throws BusyError when too many of the principal wait, or after `maxWaitMs`.
   */
  take(organization: string, principal: string): Promise<() => void>;
}

export interface TurnsOptions {
  /** Turns at a time. */
  readonly at: number;
  /** Turns of one organization at a time; fewer than `at`, so that others always find one. */
  readonly perOrganization: number;
  /** How many of one principal may wait. */
  readonly waitingPerPrincipal: number;
  readonly maxWaitMs: number;
}

/** Starts what waits. */
type Start = () => void;
/** In the order in which it is their turn: who has had one goes to the end. */
type Principals = Map<string, Set<Start>>;

/** Turns that go round: however many wait for one, another waits for one of each at most. */
export function createTurns({ at, perOrganization, waitingPerPrincipal, maxWaitMs }: TurnsOptions): Turns {
  let running = 0;
  const runningOf = new Map<string, number>();
  const waitingOf = new Map<string, Principals>();

  const mayBegin = (organization: string) => running < at && (runningOf.get(organization) ?? 0) < perOrganization;

  function begin(organization: string): () => void {
    running += 1;
    runningOf.set(organization, (runningOf.get(organization) ?? 0) + 1);
    let over = false;
    return () => {
      if (over) return;
      over = true;
      running -= 1;
      const left = (runningOf.get(organization) ?? 1) - 1;
      if (left === 0) runningOf.delete(organization);
      else runningOf.set(organization, left);
      next();
    };
  }

  function next(): void {
    for (const [organization, principals] of waitingOf) {
      if (!mayBegin(organization)) continue;
      const [[principal, waiting] = ["", new Set<Start>()]] = principals;
      const [start] = waiting;
      if (start === undefined) continue;
      remove(organization, principal, start);
      // To the end of both rounds.
      moveLast(principals, principal);
      moveLast(waitingOf, organization);
      start();
      return;
    }
  }

  function remove(organization: string, principal: string, start: Start): void {
    const principals = waitingOf.get(organization);
    const waiting = principals?.get(principal);
    if (principals === undefined || waiting === undefined || !waiting.delete(start)) return;
    if (waiting.size === 0) principals.delete(principal);
    if (principals.size === 0) waitingOf.delete(organization);
  }

  return {
    async take(organization, principal) {
      if (mayBegin(organization)) return begin(organization);
      const principals: Principals = waitingOf.get(organization) ?? new Map();
      const waiting = principals.get(principal) ?? new Set();
      if (waiting.size >= waitingPerPrincipal) throw new BusyError("You have too many such requests waiting.");
      return new Promise((resolve, reject) => {
        const start = () => {
          clearTimeout(late);
          resolve(begin(organization));
        };
        const late = setTimeout(() => {
          remove(organization, principal, start);
          reject(new BusyError("The server is busy with such requests."));
        }, maxWaitMs);
        waiting.add(start);
        principals.set(principal, waiting);
        waitingOf.set(organization, principals);
      });
    },
  };
}

function moveLast<Value>(round: Map<string, Value>, key: string): void {
  const value = round.get(key);
  if (value === undefined) return;
  round.delete(key);
  round.set(key, value);
}

/** What one organization may have of `at` turns: three quarters, and one when there is but one. */
export function shareOf(at: number): number {
  return Math.max(1, Math.min(at - 1, Math.floor((at * 3) / 4)));
}
