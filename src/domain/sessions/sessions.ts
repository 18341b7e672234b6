import { stateIn } from "../../facts/decode.ts";
import { instant, type LedgerEntry, ledgerOf } from "../../facts/entry.ts";
import { Erasable } from "../../facts/erasable.ts";
import { newId } from "../../facts/random.ts";
import { nameProblem } from "../../facts/text.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { Queryable } from "../../ledger/read.ts";
import { createCommit } from "../commit.ts";
import { databaseTime } from "../database-time.ts";
import { sameCaller } from "../identity/people.ts";
import type { Caller } from "../identity/principal.ts";
import { actorOf } from "../identity/recorded.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import { type Attribution, createAttribution } from "./attribution.ts";
import { SessionRefusal } from "./errors.ts";
import { endFacts } from "./facts.ts";
import { idsOfStart } from "./repeated-starts.ts";
import { type DueSessionsSettled, settleDueSessions } from "./settle-due.ts";
import { findSessions, type Session } from "./store.ts";

export type { DueSessionsSettled } from "./settle-due.ts";
export type { Session } from "./store.ts";

const MAX_CONVERSATION = 200;
const PATH = ["sessionId"];

export interface SessionResult {
  readonly session: Session;
  /** What this call recorded, or the call that it repeats. */
  readonly entry: LedgerEntry;
}

export interface Sessions extends Attribution {
  /**
   * Starts a session. An equal start within the same minute returns the same session while it is open and nothing would change by
   * another one. `alone`: never, because others must not end it. Throws SessionRefusal, LedgerUnavailableError.
   */
  start(
    caller: Caller,
    input: { readonly conversationId?: string | undefined; readonly alone?: boolean },
  ): Promise<SessionResult>;
  /**
   * Ends `sessionId`, or else the browser session the call came with, or else the caller's latest session. Throws
   * SessionRefusal, LedgerUnavailableError.
   */
  end(caller: Caller, input: { readonly sessionId?: string | undefined }): Promise<SessionResult>;
  /** Records that the identity provider ended the session of a browser. Does nothing when it ended before. Throws LedgerUnavailableError. */
  revoke(organization: string, sessionId: string): Promise<void>;
  /** The session with this id in the caller's organization, started by any caller. */
  load(caller: Caller, sessionId: string): Promise<Session | undefined>;
  /** Records the end of sessions of every ledger of the database that are over, at most `limit`. */
  settleDue(limit: number): Promise<DueSessionsSettled>;
}

export interface SessionsOptions {
  readonly ledgers: Pick<Ledgers, "append" | "damaged">;
  readonly db: Queryable;
  readonly region: string;
  /** Seconds a session lasts when nobody ends it. */
  readonly sessionTtl?: number;
}

/** What a start is decided on. */
interface BeforeStart {
  readonly now: Date;
  /** The session of an equal start, if it is as good as another one. */
  readonly same: Session | undefined;
  /** Of the session to start otherwise. */
  readonly id: string;
}

const DEFAULT_SESSION_TTL = 12 * 3600;

/** How a caller signed in of whose token nothing more is known. */
const UNKNOWN_METHOD = "bearer-token";

const LATEST = `
  SELECT id FROM oc_state
   WHERE kind = 'SESSION' AND actor_id = $2 AND ledger = $1 AND on_behalf_of_id IS NOT DISTINCT FROM $3
   ORDER BY first_seq DESC LIMIT 1`;

export function createSessions(options: SessionsOptions): Sessions {
  const { ledgers, db, region, sessionTtl = DEFAULT_SESSION_TTL } = options;
  const ledgerOfCaller = ({ principal }: Caller) => ledgerOf(principal.organization, region);
  // Starting a session, and ending one, say themselves what session they are about.
  const commit = createCommit({ ledgers, attribute: "none" });

  async function load(caller: Caller, sessionId: string): Promise<Session | undefined> {
    const [session] = await findSessions(db, ledgerOfCaller(caller), [sessionId]);
    return session;
  }

  async function latest(caller: Caller): Promise<string | undefined> {
    const { id, onBehalfOf } = caller.principal;
    const { rows } = await withLedgerErrors(
      db.query<{ id: string }>(LATEST, [ledgerOfCaller(caller), id, onBehalfOf?.id ?? null]),
    );
    return rows[0]?.id;
  }

  /** An equal start is as good as another one while it is open and, without a conversation, no session was started after it. */
  async function beforeStart(caller: Caller, conversation: string, alone: boolean): Promise<BeforeStart> {
    const now = await databaseTime(db);
    if (alone) return { now, same: undefined, id: newId() };
    const ledger = ledgerOfCaller(caller);
    const ids = idsOfStart(ledger, caller, conversation, now);
    const found = new Map((await findSessions(db, ledger, ids)).map((session) => [session.id, session]));
    const newest = found.size > 0 && conversation === "" ? await latest(caller) : undefined;
    for (const id of ids) {
      const session = found.get(id);
      if (session === undefined) return { now, same: undefined, id };
      const isOpen = session.ended === undefined && now.getTime() < deadlineOf(session);
      if (isOpen && (newest === undefined || newest === id)) return { now, same: session, id };
    }
    throw new Error("the last id of a start is new, and a session has it");
  }

  return {
    ...createAttribution({ ledgers, db, region }),
    load,
    settleDue: (limit) => settleDueSessions({ db, commit }, limit),
    async revoke(organization, sessionId) {
      const ledger = ledgerOf(organization, region);
      await commit<Session | undefined, undefined>({
        ledger,
        by: "system",
        load: async () => (await findSessions(db, ledger, [sessionId]))[0],
        decide(session) {
          if (session === undefined || session.ended !== undefined) return { kind: "done", result: undefined };
          return {
            kind: "record",
            fact: endFacts(session.id, conversationOf(session), "REVOKED"),
            result: () => undefined,
          };
        },
      });
    },
    async start(caller, { conversationId = "", alone = false }) {
      checkConversation(conversationId);
      let starting = "";
      return commit<BeforeStart, SessionResult>({
        ledger: ledgerOfCaller(caller),
        by: caller,
        // Known once it is decided.
        conversation: () => undefined,
        session: async () => starting,
        load: () => beforeStart(caller, conversationId, alone),
        decide({ now, same, id }) {
          if (same !== undefined) return { kind: "done", result: { session: same, entry: same.started } };
          starting = id;
          const expiresAt = instant(new Date(now.getTime() + sessionTtl * 1000));
          return {
            kind: "record",
            fact: {
              type: "SESSION_STARTED",
              session: id,
              states: [{ kind: "SESSION", id, version: 1, state: { status: "OPEN", expiresAt } }],
              // No conversation and one without a name are the same.
              conversation: conversationId === "" ? undefined : conversationId,
              method: caller.method ?? UNKNOWN_METHOD,
              address: caller.address === undefined ? undefined : new Erasable(caller.address),
            },
            result: (entry) => ({ session: { id, started: entry, ended: undefined }, entry }),
          };
        },
      });
    },
    async end(caller, { sessionId }) {
      const id = sessionId ?? caller.sessionId ?? (await latest(caller));
      return commit<Session | undefined, SessionResult>({
        ledger: ledgerOfCaller(caller),
        by: caller,
        session: async () => undefined,
        load: async () => (id === undefined ? undefined : load(caller, id)),
        decide(session) {
          if (session === undefined || !sameCaller(caller.principal, actorOf(session.started))) {
            return { kind: "refuse", error: notYours };
          }
          if (session.ended !== undefined) return { kind: "refuse", error: alreadyEnded };
          return {
            kind: "record",
            fact: endFacts(session.id, conversationOf(session), "LOGOUT"),
            result: (entry) => ({ session: { ...session, ended: entry }, entry }),
          };
        },
      });
    },
  };
}

/** Milliseconds since the epoch at which a session is over by itself. */
function deadlineOf({ started }: Session): number {
  const expiresAt = stateIn(started, "SESSION")?.state.expiresAt;
  return expiresAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(expiresAt);
}

function conversationOf({ started }: Session): string {
  const { conversation } = started.body;
  return typeof conversation === "string" ? conversation : "";
}

function notYours(): SessionRefusal {
  return new SessionRefusal("NOT_FOUND", "there is no such session of yours", { path: PATH });
}

function alreadyEnded(): SessionRefusal {
  return new SessionRefusal("ALREADY_ENDED", "the session ended before", { path: PATH });
}

function checkConversation(conversationId: string | undefined): void {
  // One without a name is none.
  if (conversationId === undefined || conversationId === "") return;
  const problem = nameProblem(conversationId, MAX_CONVERSATION);
  if (problem !== undefined) throw new SessionRefusal("INVALID_INPUT", problem, { path: ["conversationId"] });
}
