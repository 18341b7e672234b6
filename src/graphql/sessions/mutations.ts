import type { Session } from "../../domain/sessions/sessions.ts";
import { builder } from "../base/builder.ts";
import { callerOf } from "../base/context.ts";
import { uuidOfNodeId } from "../base/node-id.ts";
import { type Receipt, receiptPayload, receiptType } from "../ledger/receipt.ts";
import { SessionRef } from "./session.ts";

interface SessionPayload extends Receipt {
  readonly session?: Session | undefined;
}

function sessionPayloadType(name: string, description: string) {
  const ref = receiptType<SessionPayload>(name, description);
  builder.objectField(ref, "session", (t) =>
    t.field({
      type: SessionRef,
      nullable: true,
      description: "The session as it stands now.",
      resolve: ({ session }) => session,
    }),
  );
  return ref;
}

const StartSessionInput = builder.inputType("StartSessionInput", {
  description: "A stretch of work that begins.",
  fields: (t) => ({ conversationId: t.string({ description: "The conversation it belongs to." }) }),
});

const EndSessionInput = builder.inputType("EndSessionInput", {
  description: "A stretch of work that is over.",
  fields: (t) => ({
    sessionId: t.id({ description: "The session; when left out, the one you signed in to, or else your latest." }),
  }),
});

builder.mutationField("startSession", (t) =>
  t.field({
    type: sessionPayloadType("StartSessionPayload", "The session that began."),
    description: "Records that a session of yours began.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: StartSessionInput, required: true, description: "What begins." }) },
    resolve: (_root, { input }, context): Promise<SessionPayload> =>
      receiptPayload(
        context,
        context.services.sessions.start(callerOf(context), { conversationId: input.conversationId ?? undefined }),
      ),
  }),
);

builder.mutationField("endSession", (t) =>
  t.field({
    type: sessionPayloadType("EndSessionPayload", "The session that ended."),
    description: "Records that a session of yours ended.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: EndSessionInput, required: true, description: "What ends." }) },
    resolve: (_root, { input: { sessionId } }, context): Promise<SessionPayload> => {
      const leftOut = sessionId === undefined || sessionId === null;
      const which = leftOut ? {} : { sessionId: uuidOfNodeId("Session", context.ledger, sessionId) };
      return receiptPayload(context, context.services.sessions.end(callerOf(context), which));
    },
  }),
);
