import type { UnsealedObject } from "../../facts/commitment.ts";
import type { LedgerEntry, LedgerId } from "../../facts/entry.ts";
import { DraftRefusedError, LedgerUnavailableError } from "../../ledger/errors.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { Reader } from "../../ledger/read.ts";
import { sameCaller } from "../identity/people.ts";
import { type By, callerFacts } from "../identity/recorded.ts";
import type { DatabaseClock } from "../lineage/database-clock.ts";
import { type Attribution, inSession, sessionFinder } from "../sessions/attribution.ts";
import type { ActionView } from "./action.ts";
import { stateFacts, termFacts } from "./body.ts";
import type { FollowUp } from "./decide/command.ts";
import { decide } from "./decide/decide.ts";
import { decisionFacts } from "./decide/decision.ts";
import type { Change, NextState, Refusal } from "./decide/ruling.ts";
import { ActionRefusal, notFound } from "./errors.ts";
import { advance, type Loaded, loadAction } from "./store.ts";

/** What became of an action, and the entry that says so. */
export interface ActionResult {
  readonly action: ActionView;
  readonly entry: LedgerEntry;
}

export interface ExecutorOptions {
  readonly ledgers: Ledgers;
  readonly db: Reader;
  readonly clock: DatabaseClock;
  readonly attribution: Attribution;
}

export interface Executor {
  /**
   * Decides `command` on the action as it stands and records the outcome; when somebody else was faster, decides again
   * from what they left. Throws ActionRefusal, or LedgerUnavailableError when nothing could be recorded.
   * `complete` may add to the state what can only be made once the answer is yes (a signature).
   */
  apply(
    ledger: LedgerId,
    id: string,
    by: By,
    command: FollowUp,
    complete?: (next: NextState, loaded: Loaded) => Promise<NextState>,
  ): Promise<ActionResult>;
}

/** Every round some caller wins, so this many lost in a row is a crowd that should come back later. */
const MAX_ROUNDS = 32;

export function createExecutor({ ledgers, db, clock, attribution }: ExecutorOptions): Executor {
  /** Finds the session of what `by` does about an action: whoever proposed it goes on with that conversation. */
  function sessions({ situation, view }: Loaded, by: By): () => Promise<string | undefined> {
    if (by === "system" || !sameCaller(by.principal, situation.terms.requestedBy))
      return sessionFinder(attribution, by);
    const { conversation } = view.proposal.body;
    return sessionFinder(attribution, by, typeof conversation === "string" ? conversation : undefined);
  }

  async function refuse(loaded: Loaded, by: By, command: FollowUp, refusal: Refusal): Promise<never> {
    const { code, message, path, recordedAs } = refusal;
    const { terms } = loaded.situation;
    const entry =
      recordedAs &&
      (await inSession(sessions(loaded, by), (session) =>
        ledgers.append(loaded.view.state.ledger, {
          ...callerFacts(by, session),
          ...termFacts(terms),
          ...attempted(command),
          type: recordedAs,
          action: { id: terms.actionId },
          reason: code,
        }),
      ));
    throw new ActionRefusal(code, message, { action: loaded.view, entry, ...(path === undefined ? {} : { path }) });
  }

  async function record(loaded: Loaded, by: By, change: Change, next: NextState): Promise<ActionResult> {
    const { state, proposal } = loaded.view;
    const { terms } = loaded.situation;
    const body = (session: string | undefined) => ({
      ...callerFacts(by, session),
      ...termFacts(terms),
      ...change.facts,
      type: change.type,
      action: stateFacts(state.id, next),
    });
    const entry = await inSession(sessions(loaded, by), (session) =>
      ledgers.append(state.ledger, body(session), { notAfter: change.notAfter }),
    );
    return { action: { state: advance(state, state, next, entry), proposal }, entry };
  }

  return {
    async apply(ledger, id, by, command, complete) {
      for (let round = 0; round < MAX_ROUNDS; round += 1) {
        const loaded = await loadAction(db, ledger, id);
        if (loaded === undefined) throw notFound(["actionId"]);
        clock.observe(loaded.now);
        const ruling = decide(loaded.situation, command, loaded.now);
        if (ruling.kind === "refusal") return refuse(loaded, by, command, ruling);
        const next = complete === undefined ? ruling.next : await complete(ruling.next, loaded);
        try {
          return await record(loaded, by, ruling, next);
        } catch (error) {
          if (!(error instanceof DraftRefusedError)) throw error;
        }
      }
      throw new LedgerUnavailableError("too many decide on this action at once; nothing was recorded", 1);
    },
  };
}

/** What a refused attempt was about. */
function attempted(command: FollowUp): UnsealedObject {
  switch (command.type) {
    case "approve":
    case "deny":
      return { decision: decisionFacts(command) };
    case "redeemGrant":
      return { grant: command.grant && { id: command.grant.id } };
    default:
      return {};
  }
}
