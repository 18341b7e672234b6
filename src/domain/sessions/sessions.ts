import { v7 as uuidv7 } from "uuid";
import type { UnsealedObject } from "../../ledger/commitment.ts";
import type { LedgerEntry, LedgerId } from "../../ledger/entry.ts";
import { DraftRefusedError } from "../../ledger/errors.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import { type Reader, readEntries } from "../../ledger/read.ts";
import { callerFacts } from "../actions/body.ts";
import { actorOf } from "../actions/terms.ts";
import { sameCaller } from "../identity/people.ts";
import type { Caller } from "../identity/principal.ts";
import { reading } from "../reading.ts";
import { SessionRefusal } from "./errors.ts";

const MAX_CONVERSATION = 200;
const PATH = ["sessionId"];

/** A session is its two entries; without `ended` it goes on. */
export interface Session {
  /** A UUID. */
  readonly id: string;
  readonly started: LedgerEntry;
  readonly ended: LedgerEntry | undefined;
}

export interface SessionResult {
  readonly session: Session;
  /** What this call recorded. */
  readonly entry: LedgerEntry;
}

export interface Sessions {
  /** Throws SessionRefusal, LedgerUnavailableError. */
  start(caller: Caller, input: { readonly conversationId?: string | undefined }): Promise<SessionResult>;
  /** Ends `sessionId`, or the caller's latest session. Throws SessionRefusal, LedgerUnavailableError. */
  end(caller: Caller, input: { readonly sessionId?: string | undefined }): Promise<SessionResult>;
  /** The session of this id in the caller's organization, whoever started it. */
  load(caller: Caller, sessionId: string): Promise<Session | undefined>;
}

export interface SessionsOptions {
  readonly ledgers: Pick<Ledgers, "append">;
  readonly db: Reader;
  readonly region: string;
}

/** How every caller signs in so far; recorded, so that it stays true of old sessions when there are other ways. */
const METHOD = "bearer-token";

const STATE = "SELECT started_seq, updated_seq, ended FROM oc_session WHERE ledger = $1 AND id = $2::uuid";

interface StateRow {
  readonly started_seq: string;
  readonly updated_seq: string;
  readonly ended: boolean;
}

const LATEST = `
  SELECT id FROM oc_session
   WHERE actor_id = $2 AND ledger = $1 AND on_behalf_of_id IS NOT DISTINCT FROM $3
   ORDER BY started_seq DESC LIMIT 1`;

export function createSessions({ ledgers, db, region }: SessionsOptions): Sessions {
  const ledgerOf = ({ principal }: Caller): LedgerId => `${principal.organization}/${region}`;

  async function load(caller: Caller, sessionId: string): Promise<Session | undefined> {
    const ledger = ledgerOf(caller);
    const { rows } = await reading(db.query<StateRow>(STATE, [ledger, sessionId]));
    const state = rows[0];
    if (state === undefined) return undefined;
    const seqs = [state.started_seq, ...(state.ended ? [state.updated_seq] : [])];
    const [started, ended] = await reading(readEntries(db, ledger, seqs.map(BigInt)));
    return started && { id: sessionId, started, ended };
  }

  async function latest(caller: Caller): Promise<string | undefined> {
    const { id, onBehalfOf } = caller.principal;
    const { rows } = await reading(db.query<{ id: string }>(LATEST, [ledgerOf(caller), id, onBehalfOf?.id ?? null]));
    return rows[0]?.id;
  }

  return {
    load,
    async start(caller, { conversationId }) {
      checkConversation(conversationId);
      const id = uuidv7();
      const entry = await ledgers.append(ledgerOf(caller), {
        ...callerFacts(caller),
        type: "SESSION_STARTED",
        session: id,
        sessionVersion: 1,
        conversation: conversationId,
        method: METHOD,
      });
      return { session: { id, started: entry, ended: undefined }, entry };
    },
    async end(caller, { sessionId }) {
      const id = sessionId ?? (await latest(caller));
      const session = id === undefined ? undefined : await load(caller, id);
      if (session === undefined || !sameCaller(caller.principal, actorOf(session.started))) {
        throw new SessionRefusal("NOT_FOUND", "there is no such session of yours", { path: PATH });
      }
      if (session.ended !== undefined) throw alreadyEnded();
      const ended: UnsealedObject = {
        ...callerFacts(caller),
        type: "SESSION_ENDED",
        session: session.id,
        sessionVersion: 2,
        conversation: session.started.body.conversation,
      };
      try {
        const entry = await ledgers.append(ledgerOf(caller), ended);
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
