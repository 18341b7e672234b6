import { v7 as uuidv7 } from "uuid";
import type { UnsealedObject } from "../../ledger/commitment.ts";
import type { LedgerEntry, LedgerId } from "../../ledger/entry.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import { type Reader, readEntries } from "../../ledger/read.ts";
import { callerFacts } from "../actions/body.ts";
import type { Caller } from "../identity/principal.ts";
import { SessionRefusal } from "./errors.ts";

const MAX_CONVERSATION = 200;

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

const OF_SESSION = `
  SELECT e.seq, e.type FROM oc_audit_log e
   WHERE e.ledger = $1 AND e.session_id = $2::uuid AND e.type IN ('SESSION_STARTED', 'SESSION_ENDED')
   ORDER BY e.seq`;

const LATEST = `
  SELECT e.session_id FROM oc_audit_log e
   WHERE e.ledger = $1 AND e.actor_id = $2 AND e.type = 'SESSION_STARTED'
   ORDER BY e.seq DESC LIMIT 1`;

export function createSessions({ ledgers, db, region }: SessionsOptions): Sessions {
  const ledgerOf = ({ principal }: Caller): LedgerId => `${principal.organization}/${region}`;

  async function load(caller: Caller, sessionId: string): Promise<Session | undefined> {
    const ledger = ledgerOf(caller);
    const { rows } = await db.query<{ seq: string; type: string }>(OF_SESSION, [ledger, sessionId]);
    const first = (type: string) => rows.find((row) => row.type === type)?.seq;
    const seqs = [first("SESSION_STARTED"), first("SESSION_ENDED")].filter((seq) => seq !== undefined);
    const [started, ended] = await readEntries(db, ledger, seqs.map(BigInt));
    return started?.type === "SESSION_STARTED" ? { id: sessionId, started, ended } : undefined;
  }

  async function latest(caller: Caller): Promise<string | undefined> {
    const { rows } = await db.query<{ session_id: string }>(LATEST, [ledgerOf(caller), caller.principal.id]);
    return rows[0]?.session_id;
  }

  return {
    load,
    async start(caller, { conversationId }) {
      checkConversation(conversationId);
      const id = uuidv7();
      const facts: UnsealedObject = { ...callerFacts(caller), session: id, conversation: conversationId };
      const entry = await ledgers.append(ledgerOf(caller), { ...facts, type: "SESSION_STARTED" });
      return { session: { id, started: entry, ended: undefined }, entry };
    },
    async end(caller, { sessionId }) {
      const id = sessionId ?? (await latest(caller));
      const session = id === undefined ? undefined : await load(caller, id);
      const path = ["sessionId"];
      if (session === undefined || !isOf(session, caller)) {
        throw new SessionRefusal("NOT_FOUND", "there is no such session of yours", { path });
      }
      if (session.ended !== undefined) throw new SessionRefusal("ALREADY_ENDED", "the session ended before", { path });
      const facts: UnsealedObject = {
        ...callerFacts(caller),
        session: session.id,
        conversation: session.started.body.conversation,
      };
      const entry = await ledgers.append(ledgerOf(caller), { ...facts, type: "SESSION_ENDED" });
      return { session: { ...session, ended: entry }, entry };
    },
  };
}

function isOf({ started }: Session, { principal }: Caller): boolean {
  const { actor } = started.body;
  return typeof actor === "object" && actor !== null && "id" in actor && actor.id === principal.id;
}

function checkConversation(conversationId: string | undefined): void {
  if (conversationId === undefined) return;
  if (conversationId.length > MAX_CONVERSATION || !conversationId.isWellFormed() || conversationId.includes("\0")) {
    const message = `must be well-formed text of at most ${MAX_CONVERSATION} characters, without U+0000`;
    throw new SessionRefusal("INVALID_INPUT", message, { path: ["conversationId"] });
  }
}
