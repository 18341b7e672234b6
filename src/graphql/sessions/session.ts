import { METHODS, MULTI_FACTOR } from "../../domain/identity/browser/sign-in-methods.ts";
import type { Session } from "../../domain/sessions/sessions.ts";
import { END_REASONS, type EndReason } from "../../facts/areas/sessions.ts";
import type { JsonValue } from "../../facts/canonical.ts";
import { stateIn } from "../../facts/decode.ts";
import { Withheld } from "../../facts/payload.ts";
import { builder } from "../base/builder.ts";
import { addNode } from "../base/node.ts";
import { uuidOfNodeId } from "../base/node-id.ts";
import { AFTER, decodeCursor, FIRST, pageComplexity, pageOf, pageSize } from "../base/page.ts";
import { readingAt } from "../base/position.ts";
import { entryNode, revealed, WithheldError } from "../base/rows.ts";
import { ClientRef, PrincipalRef, recordedActor, recordedClient, UNKNOWN_CLIENT } from "../directory/principal.ts";
import { EntryConnection } from "../ledger/entry.ts";
import { recordingRead } from "../ledger/reads.ts";
import { readEntriesIn, readSession, readSessions, recordingSession } from "./reads.ts";

const SessionEndReason = builder.enumType("SessionEndReason", {
  description: "Why a session ended.",
  values: {
    LOGOUT: { description: "Its principal ended it." },
    EXPIRED: { description: "It expired." },
    REVOKED: { description: "The identity provider ended its own." },
  } as const satisfies Record<EndReason, object>,
});

function asText(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** Unlike other fields of a session, each of these is a separate search. */
const TIMELINE_COST = 20;

export const SessionRef = builder.objectRef<Session>("Session");
builder.node(SessionRef, {
  description: "A period of work of one principal, from `startSession` or a browser sign-in to its end.",
  id: {
    description: "An opaque id for `node` and other arguments that take an id.",
    resolve: ({ id, started }) => `${started.ledger}:${id}`,
  },
  fields: (t) => ({
    principal: t.field({
      type: PrincipalRef,
      description: "The principal that started it.",
      resolve: ({ started }) => {
        const actor = recordedActor(started);
        if (actor === undefined) throw new Error(`entry ${started.seq} of ${started.ledger} names nobody`);
        return actor;
      },
    }),
    method: t.string({
      description: `How the principal signed in, one of: ${METHODS.join(", ")}. After a second factor, \`+${MULTI_FACTOR}\` is added; \`unknown\` when that was not recorded.`,
      resolve: ({ started: { body } }) => (typeof body.method === "string" ? body.method : "unknown"),
    }),
    client: t.field({
      type: ClientRef,
      description: "The client software and the model that started it.",
      resolve: ({ started }) => recordedClient(started) ?? UNKNOWN_CLIENT,
    }),
    startedAt: t.field({
      type: "DateTime",
      description: "When it started.",
      resolve: ({ started }) => started.recordedAt,
    }),
    endedAt: t.field({
      type: "DateTime",
      nullable: true,
      description: "When its end was recorded; null before that.",
      resolve: ({ ended }) => ended?.recordedAt,
    }),
    endReason: t.field({
      type: SessionEndReason,
      nullable: true,
      description: "Why it ended; null while it is open, and when the reason was not recorded.",
      resolve: ({ ended }) => END_REASONS.find((reason) => reason === ended?.body.reason),
    }),
    expiresAt: t.field({
      type: "DateTime",
      nullable: true,
      description: "When it ends unless it is ended before; null when it does not expire.",
      resolve: ({ started }) => stateIn(started, "SESSION")?.state.expiresAt,
    }),
    conversationId: t.string({
      nullable: true,
      description: "The conversation it belongs to.",
      resolve: ({ started: { body } }) => asText(body.conversation),
    }),
    address: t.string({
      nullable: true,
      description: "The IP address it was started from; null when it was not recorded.",
      resolve({ started }) {
        const address = revealed(started, "address");
        if (address instanceof Withheld) throw new WithheldError(address.problem);
        return asText(address);
      },
    }),
    entries: t.field({
      type: EntryConnection,
      description: "Its entries that you may see, oldest first. Reading them is recorded in the ledger.",
      complexity: (args) => ({ ...pageComplexity(args), field: TIMELINE_COST }),
      args: {
        first: t.arg.int({ description: FIRST }),
        after: t.arg.string({ description: AFTER }),
      },
      resolve: async (session, args, context) => {
        const size = pageSize(args);
        const after = decodeCursor(args);
        const asOf = await readingAt(context);
        const found = await readEntriesIn(context, session, { after, limit: size + 1 });
        const page = pageOf({ nodes: found.map(entryNode), size, after, asOf, positionOf: ({ seq }) => seq });
        return recordingRead(context, "session.entries", page.edges.length, page);
      },
    }),
  }),
});

const SessionConnection = builder.connectionObject(
  { type: SessionRef, name: "SessionConnection", description: "A page of sessions." },
  { name: "SessionEdge", description: "A session with its cursor." },
);

const SessionFilter = builder.inputType("SessionFilter", {
  description: "Conditions that a session must meet, all of them. An omitted or null member is no condition.",
  fields: (t) => ({
    principalId: t.id({
      description: "The id of its principal: for an agent its own id, not that of the person it acts for.",
    }),
    conversationId: t.string({ description: "The conversation it belongs to." }),
    from: t.field({ type: "DateTime", description: "It was open at this instant or later." }),
    to: t.field({ type: "DateTime", description: "It started at this instant or earlier." }),
    active: t.boolean({ description: "Whether it is open now." }),
  }),
});

builder.queryField("sessions", (t) =>
  t.field({
    type: SessionConnection,
    description:
      "Sessions that you may see and that meet a filter, in the order they started. Reading them is recorded in the ledger.",
    authScopes: { signedIn: true },
    complexity: pageComplexity,
    args: {
      filter: t.arg({ type: SessionFilter, description: "Conditions to meet. Default: none." }),
      newestFirst: t.arg.boolean({ description: "Newest first. Default: oldest first." }),
      first: t.arg.int({ description: FIRST }),
      after: t.arg.string({ description: AFTER }),
    },
    resolve: async (_root, { filter, newestFirst, ...args }, context) => {
      const size = pageSize(args);
      const after = decodeCursor(args);
      const range = { ...(newestFirst === true ? { before: after, newestFirst } : { after }), limit: size + 1 };
      const asOf = await readingAt(context);
      const nodes = await readSessions(context, filter ?? {}, range);
      const page = pageOf({ nodes, size, after, asOf, positionOf: ({ started }) => started.seq });
      return recordingRead(context, "sessions", page.edges.length, page);
    },
  }),
);

builder.queryField("session", (t) =>
  t.field({
    type: SessionRef,
    nullable: true,
    description:
      "The session with this id; null when there is none that you may see. Reading it is recorded in the ledger unless it is your own.",
    authScopes: { signedIn: true },
    args: { id: t.arg.id({ required: true, description: "A session's id." }) },
    resolve: async (_root, { id }, context) => {
      const session = await readSession(context, uuidOfNodeId("Session", context.ledger, id));
      return recordingSession(context, "session", session);
    },
  }),
);

addNode("Session", async (context, nodeId) => {
  const session = await readSession(context, uuidOfNodeId("Session", context.ledger, nodeId));
  return recordingSession(context, "node", session);
});
