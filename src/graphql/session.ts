import type { Session } from "../domain/sessions/sessions.ts";
import { builder } from "./builder.ts";
import { type Context, callerOf } from "./context.ts";
import { EntryConnection } from "./entry.ts";
import { uuidOf } from "./node-id.ts";
import { decodeCursor, pageComplexity, pageOf, pageSize } from "./page.ts";
import { ClientRef, PrincipalRef, recordedActor, recordedClient, UNKNOWN_CLIENT } from "./principal.ts";
import { seesEntry } from "./reads.ts";
import { ENTRY_SELECT, entryRow, factsOf } from "./rows.ts";

/** The session of this id, if the caller may read it. */
export async function readSession(context: Context, id: string | undefined): Promise<Session | null> {
  if (id === undefined) return null;
  const session = await context.services.sessions.load(callerOf(context), id);
  return session !== undefined && (await seesEntry(context, entryRow(session.started))) ? session : null;
}

export const SessionRef = builder.objectRef<Session>("Session");
builder.node(SessionRef, {
  description: "A principal's stretch of work, from when they said it began.",
  id: { description: "Opaque.", resolve: ({ id, started }) => `${started.ledger}:${id}` },
  fields: (t) => ({
    principal: t.field({
      type: PrincipalRef,
      description: "Whose it is.",
      resolve: ({ started }) => {
        const actor = recordedActor(factsOf(started));
        if (actor === undefined) throw new Error(`entry ${started.seq} of ${started.ledger} names nobody`);
        return actor;
      },
    }),
    method: t.string({
      description: "How the principal signed in; `unknown` when that was not recorded.",
      resolve: ({ started: { body } }) => (typeof body.method === "string" ? body.method : "unknown"),
    }),
    client: t.field({
      type: ClientRef,
      description: "Which client and model began it.",
      resolve: ({ started }) => recordedClient(factsOf(started)) ?? UNKNOWN_CLIENT,
    }),
    startedAt: t.field({
      type: "DateTime",
      description: "When it began.",
      resolve: ({ started }) => started.recordedAt,
    }),
    endedAt: t.field({
      type: "DateTime",
      nullable: true,
      description: "When it was said to be over; null while it goes on.",
      resolve: ({ ended }) => ended?.recordedAt,
    }),
    entries: t.field({
      type: EntryConnection,
      description: "What happened in it, oldest first.",
      complexity: pageComplexity,
      args: {
        first: t.arg.int({ description: "How many at most." }),
        after: t.arg.string({ description: "Continue behind this cursor." }),
      },
      resolve: async ({ id, started: { ledger } }, args, { services }) => {
        const size = pageSize(args);
        const after = decodeCursor(args);
        const rows = await services.prisma.entry.findMany({
          where: { ledger, sessionId: id, ...(after === undefined ? {} : { seq: { gt: after } }) },
          orderBy: { seq: "asc" },
          take: size + 1,
          select: ENTRY_SELECT,
        });
        return pageOf(rows, size, after, ({ seq }) => seq);
      },
    }),
  }),
});

builder.queryField("session", (t) =>
  t.field({
    type: SessionRef,
    nullable: true,
    description: "The session of this id; null when there is none you may see.",
    authScopes: { signedIn: true },
    args: { id: t.arg.id({ required: true, description: "A session's id." }) },
    resolve: (_root, { id }, context) => readSession(context, uuidOf("Session", context.ledger, id)),
  }),
);
