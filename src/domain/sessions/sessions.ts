import { instant, type LedgerEntry, ledgerOf } from "../../facts/entry.ts";
import { Erasable } from "../../facts/erasable.ts";
import { newId } from "../../facts/random.ts";
import { nameProblem } from "../../facts/text.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { Queryable } from "../../ledger/read.ts";
import { createCommit } from "../commit.ts";
import { sameCaller } from "../identity/people.ts";
import type { Caller } from "../identity/principal.ts";
import { actorOf } from "../identity/recorded.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import { type Attribution, createAttribution } from "./attribution.ts";
import { SessionRefusal } from "./errors.ts";
import { endFacts } from "./facts.ts";
import { type DueSessionsSettled, settleDueSessions } from "./settle-due.ts";
import { findSessions, type Session } from "./store.ts";

export type { DueSessionsSettled } from "./settle-due.ts";
export type { Session } from "./store.ts";

const MAX_CONVERSATION = 200;
const PATH = ["sessionId"];

export interface SessionResult {
  readonly session: Session;
  /** What this call recorded. */
  readonly entry: LedgerEntry;
}

export interface Sessions extends Attribution {
  /** Throws SessionRefusal, LedgerUnavailableError. */
  start(caller: Caller, input: { readonly conversationId?: string | undefined }): Promise<SessionResult>;
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

  /** Deadlines are the database's to judge, so its clock sets them. */
  async function expiry(): Promise<Date> {
    const { rows } = await withLedgerErrors(db.query<{ now: Date }>("SELECT clock_timestamp() AS now"));
    return new Date((rows[0]?.now ?? new Date()).getTime() + sessionTtl * 1000);
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
    async start(caller, { conversationId }) {
      checkConversation(conversationId);
      const id = newId();
      return commit<Date, SessionResult>({
        ledger: ledgerOfCaller(caller),
        by: caller,
        session: async () => id,
        load: expiry,
        decide: (expiresAt) => ({
          kind: "record",
          fact: {
            type: "SESSION_STARTED",
            session: id,
            states: [{ kind: "SESSION", id, version: 1, state: { status: "OPEN", expiresAt: instant(expiresAt) } }],
            // No conversation and one without a name are the same.
            conversation: conversationId === "" ? undefined : conversationId,
            method: caller.method ?? UNKNOWN_METHOD,
            address: caller.address === undefined ? undefined : new Erasable(caller.address),
          },
          result: (entry) => ({ session: { id, started: entry, ended: undefined }, entry }),
        }),
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
