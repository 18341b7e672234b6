import type { LedgerEntry, LedgerId } from "../../../facts/entry.ts";
import { DraftRefusedError } from "../../../ledger/errors.ts";
import type { Queryable } from "../../../ledger/read.ts";
import type { WindowCondition, WindowScope } from "../../../ledger/windows.ts";
import type { Recording } from "../../commit.ts";
import type { PossibleReads } from "../../lineage/possible-reads.ts";
import type { Origins } from "../../lineage/sources/origins.ts";
import type { Situation } from "../../policy/conditions/variables.ts";
import type { Evaluation, Policy } from "../../policy/evaluate.ts";
import type { Policies } from "../../policy/policies.ts";
import { addDecimals, type Decimal } from "../../policy/windows/decimal.ts";
import type { Measured } from "../../policy/windows/measures.ts";
import { contributionOf } from "../../policy/windows/values.ts";
import type { Window } from "../../policy/windows/window.ts";
import type { Proposal } from "../input.ts";
import { createKnownWindows } from "./known-windows.ts";
import { recordedReads } from "./lineage.ts";
import type { Proposed } from "./proposal-entry.ts";
import { differenceOf, type ShadowDifference } from "./shadow.ts";
import { proposedSituation } from "./situation.ts";
import type { LookedUp } from "./sources.ts";
import type { LoadWindows } from "./window-loader.ts";

/** The proposals that `window` is about, for one proposal. */
function scopeOf({ scope, alike, measure }: Window, { principal, person, platform, tool }: Situation): WindowScope {
  return {
    scope,
    id: scope === "agent" ? principal.id : scope === "person" ? (person?.id ?? principal.id) : "",
    ...(alike === undefined ? {} : { platform }),
    ...(alike === "tool" ? { tool } : {}),
    ...(measure === undefined ? {} : { measure }),
  };
}

/**
 * `situation` with what its windows came to before entry `at`; left out: before whatever is recorded next. Those that it has already are
 * not read.
 */
export async function withWindows(
  load: LoadWindows,
  policy: Pick<Policy, "windows">,
  situation: Situation,
  ledger: LedgerId,
  at?: Pick<LedgerEntry, "seq" | "recordedAt">,
): Promise<Situation> {
  const windows = policy.windows(situation).filter(({ text }) => situation.windows?.has(text) !== true);
  if (windows.length === 0) return situation;
  const read = await load(windows.map((one) => ({ ledger, seconds: one.seconds, at, ...scopeOf(one, situation) })));
  const values = windows.map(({ text }, n) => [text, read[n]?.value ?? ""] as const);
  return { ...situation, windows: new Map([...(situation.windows ?? []), ...values]) };
}

/** What the policy says of a proposal, and what has to hold still when it is recorded. */
export interface Judged {
  readonly evaluation: Evaluation;
  readonly windows: readonly WindowCondition[];
  /** What the policy that is evaluated beside it says, where that is something else. */
  readonly shadow?: ShadowDifference | undefined;
  /** What it may have drawn from, where a policy asks. */
  readonly reads?: PossibleReads | undefined;
  /** Of a write: where its data may come from. */
  readonly origins: Origins | undefined;
}

/** What proposals read of windows, at one moment. */
export interface Reading {
  judge(proposed: Proposed): Judged;
  /** Counts a proposal that will be recorded before those that are judged from now on. */
  count(proposed: Proposed): void;
}

/**
 * `recording`, to be recorded only while its windows come to what was read. Its result is undefined when they do not: they have to be
 * read again.
 */
export function whileWindowsLast<Result>(
  recording: Recording<Result>,
  windows: readonly WindowCondition[],
): Recording<Result | undefined> {
  if (windows.length === 0) return recording;
  return {
    ...recording,
    windows,
    async lost(error) {
      const instead = await recording.lost?.(error);
      if (instead !== undefined) return instead;
      return error instanceof DraftRefusedError && error.moved("WINDOW") ? { result: undefined } : undefined;
    },
  };
}

export interface WindowReaderOptions {
  readonly db: Queryable;
  readonly policies: Pick<Policies, "of">;
  /** The database's clock, as far as it is known. */
  readonly now: () => Date;
}

export interface WindowReader {
  /** The keys of what has to be decided one after the other: empty when nothing said of the proposal depends on others. */
  keysOf(proposed: Proposed): readonly string[];
  /**
   * Reads the windows that what the policies of `sources` say of `all` depends on, in one round trip, and in none where there are none. All are
   * of one organization.
   */
  read(all: readonly Proposed[], sources: LookedUp): Promise<Reading>;
}

const key = (ledger: LedgerId, scope: WindowScope) => JSON.stringify([ledger, scope]);

export function createWindowReader({ db, policies, now }: WindowReaderOptions): WindowReader {
  const policyFor = ({ caller }: Proposed) => policies.of(caller.principal.organization);
  const allowedOf = ({ caller }: Proposed) => caller.principal.platforms;
  const known = createKnownWindows(db);

  return {
    keysOf(proposed) {
      const policy = policyFor(proposed);
      if (policy.allWindows.length === 0) return [];
      const situation = proposedSituation(proposed, now());
      const scopes = policy.windows(situation).map((window) => scopeOf(window, situation));
      return [...new Set(scopes.map(({ scope, id }) => JSON.stringify([proposed.ledger, scope, id])))].sort();
    },

    async read(all, { policy, shadow, of: sourcesOf }) {
      const moment = now();
      const evaluated = shadow === undefined ? [policy] : [policy, shadow];
      // Each is evaluated several times: arguments are read, and measured, once. By the proposal, which copies of `proposed` share.
      const situations = keptBy((proposed: Proposed): Situation => {
        const { known: sources } = sourcesOf(proposed);
        return { ...proposedSituation(proposed, moment), sources };
      });
      const measures = new Map<Policy, (proposed: Proposed) => Measured>();
      const measureBy = (policy: Policy) => {
        const known = measures.get(policy) ?? keptBy((proposed) => policy.measure(situations(proposed)));
        measures.set(policy, known);
        return known;
      };
      const needed = all.flatMap((proposed) => {
        const counting = evaluated.filter(({ allWindows }) => allWindows.length > 0);
        if (counting.length === 0) return [];
        const situation = situations(proposed);
        return counting
          .flatMap((one) => one.windows(situation))
          .map((window) => {
            const scope = scopeOf(window, situation);
            return { key: key(proposed.ledger, scope), window, asked: { ledger: proposed.ledger, ...scope } };
          });
      });
      const asked = new Map(
        needed.map((one) => [`${one.window.seconds} ${one.key}`, { ...one.asked, seconds: one.window.seconds }]),
      );
      const found = await known.read(asked);
      /** What was counted comes to, of each scope. */
      const counted = new Map<Policy, Map<string, Decimal>>();

      return {
        count(proposed) {
          for (const one of evaluated) {
            if (one.allWindows.length === 0) continue;
            const sums = counted.get(one) ?? new Map<string, Decimal>();
            counted.set(one, sums);
            const measured = measureBy(one)(proposed);
            const situation = situations(proposed);
            // Windows that differ in nothing but how long they are count the same.
            const windows = new Map(
              one.allWindows.map((each) => [key(proposed.ledger, scopeOf(each, situation)), each]),
            );
            for (const [name, each] of windows) {
              sums.set(name, addDecimals(sums.get(name) ?? "0", contributionOf(each, measured)));
            }
          }
        },
        judge(proposed) {
          const { ledger } = proposed;
          const situation = situations(proposed);
          const evaluate = (one: Policy) => {
            const values = new Map<string, Decimal>();
            const windows: WindowCondition[] = [];
            for (const window of one.windows(situation)) {
              const scope = scopeOf(window, situation);
              const name = key(ledger, scope);
              const had = found.get(`${window.seconds} ${name}`);
              if (had === undefined) continue;
              const value = counted.get(one)?.get(name) ?? "0";
              values.set(window.text, addDecimals(had.value, value));
              windows.push({ ...scope, after: had.head, value });
            }
            return { evaluation: one.evaluate({ ...situation, windows: values }, allowedOf(proposed)), windows };
          };
          const { reads, origins } = sourcesOf(proposed);
          const recorded = reads && recordedReads(reads, proposed.proposal);
          const judged = { ...evaluate(policy), reads: recorded, origins };
          if (shadow === undefined) return judged;
          // What its windows come to decides nothing, and is not checked again.
          return { ...judged, shadow: differenceOf(evaluate(shadow).evaluation, judged.evaluation, moment) };
        },
      };
    },
  };
}

/** `make`, called once for each proposal. */
function keptBy<Value>(make: (proposed: Proposed) => Value): (proposed: Proposed) => Value {
  const values = new Map<Proposal, { readonly value: Value }>();
  return (proposed) => {
    const kept = values.get(proposed.proposal) ?? { value: make(proposed) };
    values.set(proposed.proposal, kept);
    return kept.value;
  };
}
