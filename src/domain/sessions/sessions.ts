import { v7 as uuidv7 } from "uuid";
import { Erasable } from "../../facts/commitment.ts";
import { instant, type LedgerEntry, type LedgerId } from "../../facts/entry.ts";
import type { Concern } from "../../ledger/concern.ts";
import { DraftRefusedError } from "../../ledger/errors.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { Reader } from "../../ledger/read.ts";
import { sameCaller } from "../identity/people.ts";
import type { Caller } from "../identity/principal.ts";
import { actorOf, callerFacts } from "../identity/recorded.ts";
import { reading } from "../reading.ts";
import { type Attribution, createAttribution } from "./attribution.ts";
import { SessionRefusal } from "./errors.ts";
import { endFacts } from "./facts.ts";
import { listSessions, type SessionFilter, type SessionRange } from "./list.ts";
import { type DueSessionsSettled, settleDueSessions } from "./settle-due.ts";
import { findSessions, type Session } from "./store.ts";

export type { SessionFilter, SessionRange } from "./list.ts";
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
  /** The session of this id in the caller's organization, whoever started it. */
  load(caller: Caller, sessionId: string): Promise<Session | undefined>;
  /** The same for several ids, by id. */
  loadAll(caller: Caller, sessionIds: readonly string[]): Promise<ReadonlyMap<string, Session>>;
  /** Sessions of the caller's organization that concern one of `whose` (undefined: all), by when they began. */
  list(
    caller: Caller,
    filter: SessionFilter,
    range: SessionRange,
    whose: readonly Concern[] | undefined,
  ): Promise<readonly Session[]>;
  /** Records the end of sessions of every ledger of the database that are over, at most `limit`. */
  settleDue(limit: number): Promise<DueSessionsSettled>;
}

export interface SessionsOptions {
  readonly ledgers: Pick<Ledgers, "append">;
  readonly db: Reader;
  readonly region: string;
  /** Seconds a session lasts when nobody ends it. */
  readonly sessionTtl?: number;
}

const DEFAULT_SESSION_TTL = 12 * 3600;

/** How a caller signed in of whose token nothing more is known. */
const UNKNOWN_METHOD = "bearer-token";

const LATEST = `
  SELECT id FROM oc_session
   WHERE actor_id = $2 AND ledger = $1 AND on_behalf_of_id IS NOT DISTINCT FROM $3
   ORDER BY started_seq DESC LIMIT 1`;

export function createSessions(options: SessionsOptions): Sessions {
  const { ledgers, db, region, sessionTtl = DEFAULT_SESSION_TTL } = options;
  const ledgerOf = ({ principal }: Caller): LedgerId => `${principal.organization}/${region}`;

  async function load(caller: Caller, sessionId: string): Promise<Session | undefined> {
    const [session] = await findSessions(db, ledgerOf(caller), [sessionId]);
    return session;
  }

  async function latest(caller: Caller): Promise<string | undefined> {
    const { id, onBehalfOf } = caller.principal;
    const { rows } = await reading(db.query<{ id: string }>(LATEST, [ledgerOf(caller), id, onBehalfOf?.id ?? null]));
    return rows[0]?.id;
  }

  /** Deadlines are the database's to judge, so its clock sets them. */
  async function expiry(): Promise<Date> {
    const { rows } = await reading(db.query<{ now: Date }>("SELECT clock_timestamp() AS now"));
    return new Date((rows[0]?.now ?? new Date()).getTime() + sessionTtl * 1000);
  }

  return {
    ...createAttribution({ db, region }),
    load,
    async loadAll(caller, sessionIds) {
      const found = await findSessions(db, ledgerOf(caller), sessionIds);
      return new Map(found.map((session) => [session.id, session]));
    },
    list: (caller, filter, range, whose) => listSessions(db, ledgerOf(caller), filter, range, whose),
    settleDue: (limit) => settleDueSessions({ db, ledgers }, limit),
    async start(caller, { conversationId }) {
      checkConversation(conversationId);
      const id = uuidv7();
      const { method = UNKNOWN_METHOD, address } = caller;
      const entry = await ledgers.append(ledgerOf(caller), {
        ...callerFacts(caller, id),
        type: "SESSION_STARTED",
        sessionVersion: 1,
        sessionExpiresAt: instant(await expiry()),
        // No conversation and one without a name are the same.
        conversation: conversationId === "" ? undefined : conversationId,
        method,
        address: address === undefined ? undefined : new Erasable(address),
      });
      return { session: { id, started: entry, ended: undefined }, entry };
    },
    async end(caller, { sessionId }) {
      const id = sessionId ?? caller.sessionId ?? (await latest(caller));
      const session = id === undefined ? undefined : await load(caller, id);
      if (session === undefined || !sameCaller(caller.principal, actorOf(session.started))) {
        throw new SessionRefusal("NOT_FOUND", "there is no such session of yours", { path: PATH });
      }
      if (session.ended !== undefined) throw alreadyEnded();
      const { conversation } = session.started.body;
      const facts = endFacts(session.id, typeof conversation === "string" ? conversation : "", "LOGOUT");
      try {
        const entry = await ledgers.append(ledgerOf(caller), { ...callerFacts(caller), ...facts });
        return { session: { ...session, ended: entry }, entry };
      } catch (error) {
        // Somebody ended it while we looked.
        throw error instanceof DraftRefusedError && error.code === "VERSION" ? alreadyEnded() : error;
      }
    },
  };
}

function alreadyEnded(): SessionRefusal {
  return new SessionRefusal("ALREADY_ENDED", "the session ended before", { path: PATH });
}

function checkConversation(conversationId: string | undefined): void {
  if (conversationId === undefined) return;
  if (conversationId.length > MAX_CONVERSATION || !conversationId.isWellFormed() || conversationId.includes("\0")) {
    const message = `must be well-formed text of at most ${MAX_CONVERSATION} characters, without U+0000`;
    throw new SessionRefusal("INVALID_INPUT", message, { path: ["conversationId"] });
  }
}
