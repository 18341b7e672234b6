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
      description: "The session in its current state; null when the call was refused.",
      resolve: ({ session }) => session,
    }),
  );
  return ref;
}

const StartSessionInput = builder.inputType("StartSessionInput", {
  description: "A session to start.",
  fields: (t) => ({ conversationId: t.string({ description: "The conversation it belongs to." }) }),
});

const EndSessionInput = builder.inputType("EndSessionInput", {
  description: "A session to end.",
  fields: (t) => ({
    sessionId: t.id({
      description: "The session to end. Default: the browser session you signed in to, else your latest open one.",
    }),
  }),
});

builder.mutationField("startSession", (t) =>
  t.field({
    type: sessionPayloadType("StartSessionPayload", "The result of `startSession`."),
    description:
      "Starts a session of the caller. A call that equals an earlier one of the same minute returns that session, while it is open and the caller started no other one that would take its place.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: StartSessionInput, required: true, description: "The session to start." }) },
    resolve: (_root, { input }, context): Promise<SessionPayload> =>
      receiptPayload(
        context,
        context.services.sessions.start(callerOf(context), { conversationId: input.conversationId ?? undefined }),
      ),
  }),
);

builder.mutationField("endSession", (t) =>
  t.field({
    type: sessionPayloadType("EndSessionPayload", "The result of `endSession`."),
    description: "Ends a session of the caller.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: EndSessionInput, required: true, description: "The session to end." }) },
    resolve: (_root, { input: { sessionId } }, context): Promise<SessionPayload> => {
      const leftOut = sessionId === undefined || sessionId === null;
      const which = leftOut ? {} : { sessionId: uuidOfNodeId("Session", context.ledger, sessionId) };
      return receiptPayload(context, context.services.sessions.end(callerOf(context), which));
    },
  }),
);
