import { listSessions, readTimeline, type SessionFilter, type SessionRange } from "../../domain/sessions/list.ts";
import type { Session } from "../../domain/sessions/sessions.ts";
import { findSessions } from "../../domain/sessions/store.ts";
import { isOwn } from "../../domain/visibility/visibility.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import { type Context, viewerOf } from "../base/context.ts";
import { createLoader } from "../base/loader.ts";
import { entryNode } from "../base/rows.ts";
import { readerOf } from "../base/viewer.ts";
import { recordingRead, seesEntry } from "../ledger/reads.ts";

const loadSession = createLoader<string, Session>(async ({ db, ledger }, ids) => {
  const sessions = await findSessions(db, ledger, ids);
  return new Map(sessions.map((session) => [session.id, session]));
});

/** The session of this id, if the caller may read it. */
export async function readSession(context: Context, id: string): Promise<Session | null> {
  const session = await loadSession(context, id);
  return session !== undefined && (await seesEntry(context, entryNode(session.started))) ? session : null;
}

/** `session`, once it is recorded that the caller reads somebody else's by the field `what`. */
export async function recordingSession(
  context: Context,
  what: string,
  session: Session | null,
): Promise<Session | null> {
  if (session !== null && isOwn(viewerOf(context), session.started)) return session;
  return recordingRead(context, what, session === null ? 0 : 1, session);
}

/** The sessions the caller may read that meet `filter`. */
export function readSessions(context: Context, filter: SessionFilter, range: SessionRange) {
  return listSessions(context.db, context.ledger, readerOf(context), filter, range);
}

/** At most `limit` entries of `session` behind a position that the caller may read, oldest first. */
export function readEntriesIn(
  context: Context,
  session: Session,
  range: { readonly after: bigint | undefined; readonly limit: number },
): Promise<readonly LedgerEntry[]> {
  return readTimeline(context.db, context.ledger, readerOf(context), session, range);
}
