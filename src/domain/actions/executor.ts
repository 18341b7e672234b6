import { canonicalize } from "../../facts/canonical.ts";
import type { LedgerEntry, LedgerId } from "../../facts/entry.ts";
import { Erasable } from "../../facts/erasable.ts";
import { valueAt, Withheld } from "../../facts/payload.ts";
import type { FactDraft, StateOf } from "../../facts/registry.ts";
import type { CommitDecision, CommitFunction, CommitRefusal } from "../commit.ts";
import type { CommitTogetherFunction } from "../commit-together.ts";
import type { Lending } from "../directory/delegations.ts";
import type { KnownPeople } from "../directory/known-people.ts";
import { sameCaller } from "../identity/people.ts";
import type { Caller } from "../identity/principal.ts";
import type { By } from "../identity/recorded.ts";
import type { DatabaseClock } from "../lineage/database-clock.ts";
import type { ReadRecorder } from "../lineage/sources/recorder.ts";
import type { ActionView, Situation, Terms } from "./action.ts";
import { stateFacts, termFacts } from "./body.ts";
import { carriedOut } from "./carry-out.ts";
import type { CompleteAction, FollowUp } from "./decide/command.ts";
import { decide } from "./decide/decide.ts";
import { decisionFacts } from "./decide/decision.ts";
import { peopleCompared } from "./decide/people.ts";
import type { NextState, RefusedCommand } from "./decide/transition.ts";
import { ActionRefusal, notFound } from "./errors.ts";
import { homePositionOf } from "./home-position.ts";
import { alteredContent, contentProblem, restsOnContent } from "./loading/content.ts";
import { type FirstShown, plausible } from "./loading/first-shown.ts";
import type { Loaded } from "./loading/load.ts";
import type { ActionLoader } from "./loading/loader.ts";
import { nextActionState } from "./loading/store.ts";
import { termsOf } from "./terms.ts";
import type { Judge } from "./today.ts";

/** The new state of an action, and the entry that records it. */
export interface ActionResult {
  readonly action: ActionView;
  readonly entry: LedgerEntry;
}

export interface ExecutorOptions {
  readonly commit: CommitFunction;
  readonly commitTogether: CommitTogetherFunction;
  /** Loads the action that a command is decided on. */
  readonly load: ActionLoader;
  readonly clock: DatabaseClock;
  readonly judge: Judge;
  readonly known: KnownPeople & Lending;
  readonly firstShown: Pick<FirstShown, "of">;
  /** Stores what the values of what was read are recognized by. */
  readonly readRecorder: ReadRecorder;
}

export interface Executor {
  /**
   * Decides `command` on the current state of the action and records the result; after a lost race, decides again from fresh
   * state. Throws ActionRefusal, or LedgerUnavailableError when nothing could be recorded. `complete` may add to the new
   * state what must only be made for a permitted command (a signature).
   */
  apply(ledger: LedgerId, id: string, by: By, command: FollowUp, complete?: Complete): Promise<ActionResult>;
  /**
   * The same for commands on different actions, recorded in one transaction. Returns the result of each, or why there is none. One
   * that is refused, and has an entry for that, has it in a transaction of its own.
   */
  applyTogether(
    ledger: LedgerId,
    by: Caller,
    commands: readonly ActionCommand[],
  ): Promise<readonly PromiseSettledResult<ActionResult>[]>;
}

/** A command on the action with this id. */
export interface ActionCommand {
  readonly id: string;
  readonly command: FollowUp;
}

type Complete = (next: NextState, loaded: Loaded) => Promise<NextState>;

export function createExecutor(options: ExecutorOptions): Executor {
  const { commit, commitTogether, load, clock, known } = options;

  async function loadOne(ledger: LedgerId, id: string): Promise<Loaded> {
    const loaded = await load({ ledger, id });
    if (loaded === undefined) throw notFound(["actionId"]);
    clock.observe(loaded.now);
    return loaded;
  }

  async function decideOn(
    loaded: Loaded,
    command: FollowUp,
    complete?: Complete,
  ): Promise<Extract<CommitDecision<ActionResult>, { readonly kind: "record" | "refuse" }>> {
    const situation = await situationOf(loaded, command, options);
    const result = decide(situation, command, loaded.now);
    if (result.kind === "refusal") return refusalOf(loaded, command, result);
    const next = complete === undefined ? result.next : await complete(result.next, loaded);
    const { state, proposal } = loaded.view;
    const { terms, today } = situation;
    const read = await recordRead(loaded, command, options.readRecorder);
    // By what it was judged on: what was published meanwhile refuses it in the append.
    const own = command.type === "approve" && today ? carriedOut(proposal, terms, next, today.published) : undefined;
    return {
      kind: "record",
      fact: withStates(
        { ...termFacts(terms), ...result.fact, ...read, ...own?.rests, ...stateFacts(state.id, next) },
        result.alsoMoves,
      ),
      notAfter: result.notAfter,
      followers: own?.facts,
      result(entry, followers) {
        const decided = nextActionState(state, state, next, entry);
        const last = followers.at(-1);
        const now = own && last ? nextActionState(decided, decided, own.next, last) : decided;
        return { action: { state: now, proposal }, entry };
      },
    };
  }

  const apply: Executor["apply"] = async (ledger, id, by, command, complete) => {
    const result = await commit<Loaded, ActionResult>({
      ledger,
      by,
      conversation: (loaded) => conversationOf(loaded, by),
      load: () => loadOne(ledger, id),
      decide: (loaded) => decideOn(loaded, command, complete),
    });
    const { state, proposal } = result.action;
    // What was carried out is in effect here before the response is sent, on other servers soon after; it is recorded in any case.
    if (command.type === "approve" && state.status === "SUCCEEDED") {
      await known.refresh(termsOf(proposal).requestedBy.organization).catch(() => undefined);
    }
    return result;
  };

  return {
    apply,
    async applyTogether(ledger, by, commands) {
      const outcomes = await commitTogether<ActionCommand, Loaded | Error, ActionResult>({
        ledger,
        by,
        items: commands,
        conversation: () => undefined,
        load: (items) =>
          Promise.all(
            items.map(({ id }) =>
              loadOne(ledger, id).catch((error: unknown) =>
                error instanceof Error ? error : new Error("an action could not be loaded", { cause: error }),
              ),
            ),
          ),
        async decide({ command }, loaded) {
          if (loaded instanceof Error) throw loaded;
          const decision = await decideOn(loaded, command);
          if (decision.kind === "record") {
            if (decision.followers === undefined) return decision;
            throw new ByItself();
          }
          throw decision.fact === undefined ? decision.error(undefined) : new ByItself();
        },
      });
      return Promise.all(
        outcomes.map(async (outcome, at): Promise<PromiseSettledResult<ActionResult>> => {
          const one = commands[at];
          if (one === undefined || outcome.status === "fulfilled" || !(outcome.reason instanceof ByItself)) {
            return outcome;
          }
          // Decided once more: it is refused in an entry, or carried out, unless what that was for has changed.
          const [again] = await Promise.allSettled([apply(ledger, one.id, by, one.command)]);
          return again;
        }),
      );
    },
  };
}

/** What the completion of a read says of its values, which are stored now: nobody else completes it. */
async function recordRead(
  { view: { state, proposal }, situation: { terms } }: Loaded,
  command: FollowUp,
  recorder: ReadRecorder,
): Promise<Pick<FactDraft<"ACTION_COMPLETED">, "fingerprints"> | undefined> {
  if (command.type !== "completeAction" || terms.effect !== "READ") return;
  const result = returnedBy(command);
  if (result === undefined) return;
  const { ledger, id: action } = state;
  const given = valueAt(proposal, "arguments");
  const asked = given === undefined || given instanceof Withheld ? action : canonicalize(given);
  const { platform, tool } = terms;
  return {
    fingerprints: await recorder.record({ ledger, action, asked: canonicalize([platform, tool, asked]), result }),
  };
}

/** What a read returned, RFC 8785 text: of one that failed, its error too. Undefined: nobody says what. */
function returnedBy({ outcome, result, error }: CompleteAction): string | undefined {
  if (outcome === "SUCCEEDED") return result?.text;
  const told = error === undefined ? "null" : canonicalize(error);
  // The values of the result come first, so that they have the same numbers.
  return result === undefined ? told : `[${result.text},${told}]`;
}

/** `fact` with further things that it moves. */
function withStates(fact: FactDraft, more: readonly StateOf[] = []): FactDraft {
  if (more.length === 0 || !("states" in fact)) return fact;
  return { ...fact, states: [...(fact.states ?? []), ...more] } as FactDraft;
}

/** A command has more than one entry, or a refusal that is one: in a transaction of its own. */
class ByItself extends Error {}

/** What `command` is decided on. Throws LedgerUnavailableError when it rests on a value that was altered. */
async function situationOf(
  { situation, view, now }: Loaded,
  command: FollowUp,
  { judge, known, firstShown }: Pick<ExecutorOptions, "judge" | "known" | "firstShown">,
): Promise<Situation> {
  if (!restsOnContent(command)) return situation;
  const { terms, voters, state } = situation;
  const problem = contentProblem(view.proposal, voters);
  if (problem === "ALTERED") throw alteredContent(view.proposal);
  const isDecided = command.type === "approve" || command.type === "deny" || command.type === "breakGlass";
  const { brokenGlass } = situation;
  const isCompared = isDecided || voters.length > 0 || brokenGlass !== undefined;
  const { organization } = terms.requestedBy;
  // Before anything is judged, so that what it brings up to date is.
  if (isCompared) await known.refresh(organization);
  const today =
    command.type === "deny"
      ? undefined
      : await judge(view.proposal, brokenGlass === undefined ? voters : [...voters, brokenGlass], now);
  const lent = isDecided ? await known.lentTo(organization, command.by.id) : undefined;
  const judged = { ...situation, contentMissing: problem === "MISSING", today, lent };
  if (!isCompared) return judged;
  const shown = isDecided ? await firstShown.of(state.ledger, state.id, command.by.id) : undefined;
  return {
    ...judged,
    firstShown: plausible(shown, view.proposal.recordedAt, now),
    people: await known.people(
      organization,
      peopleCompared(judged, isDecided ? command.by : undefined),
      homePositionOf(view.proposal),
    ),
  };
}

/** The conversation of what `by` does about an action: for its proposer that of the proposal. */
function conversationOf({ situation, view }: Loaded, by: By): string | undefined {
  if (by === "system" || !sameCaller(by.principal, situation.terms.requestedBy)) return undefined;
  const { conversation } = view.proposal.body;
  return typeof conversation === "string" ? conversation : undefined;
}

function refusalOf({ situation, view }: Loaded, command: FollowUp, refusal: RefusedCommand): CommitRefusal {
  const { code, message, path } = refusal;
  const { terms } = situation;
  return {
    kind: "refuse",
    fact: refusedFact(terms, command, refusal),
    error: (entry) =>
      new ActionRefusal(code, message, { action: view, entry, ...(path === undefined ? {} : { path }) }),
  };
}

/** The fact that somebody tried `command` and was refused, where that is one. */
function refusedFact(terms: Terms, command: FollowUp, refusal: RefusedCommand): FactDraft | undefined {
  if (refusal.recordedAs === undefined) return undefined;
  const about = { ...termFacts(terms), action: terms.actionId };
  if (refusal.recordedAs === "GRANT_REFUSED") {
    const grant = command.type === "redeemGrant" && command.grant ? { id: command.grant.id } : undefined;
    return { ...about, type: "GRANT_REFUSED", grant, reason: refusal.code };
  }
  if (command.type === "breakGlass") {
    const { channel, reason } = command;
    const decision = { verdict: "APPROVE", channel, note: new Erasable(reason) } as const;
    return { ...about, type: "DECISION_REFUSED", decision, reason: refusal.code };
  }
  if (command.type !== "approve" && command.type !== "deny") {
    throw new Error(`a refused ${command.type} is no refused decision`);
  }
  return { ...about, type: "DECISION_REFUSED", decision: decisionFacts(command), reason: refusal.code };
}
