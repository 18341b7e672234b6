import { z } from "zod";
import { type Connection, openConnection } from "./connection.ts";
import {
  approveBody,
  claimBody,
  completeBody,
  proposeBody,
  proposeTogetherBody,
  redeemBody,
  result,
  startSessionBody,
} from "./requests.ts";

/** What the callers of a benchmark do: one request, or the whole cycle of an action. */

const outcome = z.object({
  action: z.object({ id: z.string(), status: z.string(), digest: z.string() }).partial().nullish(),
  grant: z.object({ token: z.string() }).nullish(),
  userErrors: z.array(z.unknown()).length(0),
});
// Strict: an answer with `errors` beside its data is not one.
const answer = z.strictObject({ data: z.record(z.string(), outcome) });

export interface Tokens {
  readonly agent: string;
  readonly approver: string;
}

/** Sends a request and checks its result: a fast refusal is no achievement. */
async function send(connection: Connection, body: string, token: string, status?: string) {
  const answered = await connection.post(body, token);
  const parsed = answer.safeParse(answered);
  const payload = parsed.success ? Object.values(parsed.data.data)[0] : undefined;
  if (payload === undefined || (status !== undefined && payload.action?.status !== status)) {
    throw new Error(`unexpected answer: ${JSON.stringify(answered)}`);
  }
  return { id: payload.action?.id ?? "", digest: payload.action?.digest ?? "", token: payload.grant?.token ?? "" };
}

export type Work = (connection: Connection, conversation: string, onRequest: () => void) => Promise<void>;

/** Proposes one action. */
export function proposing(effect: "READ" | "WRITE", token: string): Work {
  const status = effect === "READ" ? "ALLOWED" : "PENDING";
  return async (connection, conversation, onRequest) => {
    await send(connection, proposeBody(effect, conversation), token, status);
    onRequest();
  };
}

const batchAnswer = z.strictObject({
  data: z.object({
    proposeActions: z.object({ results: z.array(outcome), userErrors: z.array(z.unknown()).length(0) }),
  }),
});

/** Proposes `count` actions in one request. */
export function proposingTogether(effect: "READ" | "WRITE", token: string, count: number): Work {
  const status = effect === "READ" ? "ALLOWED" : "PENDING";
  return async (connection, conversation, onRequest) => {
    const answered = await connection.post(proposeTogetherBody(effect, conversation, count), token);
    const parsed = batchAnswer.safeParse(answered);
    const results = parsed.success ? parsed.data.data.proposeActions.results : [];
    if (results.length !== count || results.some(({ action }) => action?.status !== status)) {
      throw new Error(`unexpected answer: ${JSON.stringify(answered)}`);
    }
    onRequest();
  };
}

/** Five requests: propose, approve, claim, redeem, complete. */
export function cycling({ agent, approver }: Tokens): Work {
  return async (connection, conversation, onRequest) => {
    const counted = async <Sent>(sent: Promise<Sent>): Promise<Sent> => {
      const received = await sent;
      onRequest();
      return received;
    };
    const { id, digest } = await counted(send(connection, proposeBody("WRITE", conversation), agent, "PENDING"));
    await counted(send(connection, approveBody({ actionId: id, digest }), approver, "APPROVED"));
    const { token } = await counted(send(connection, claimBody({ actionId: id }), agent));
    await counted(send(connection, redeemBody({ token, digest }), agent, "EXECUTING"));
    const completed = completeBody({ actionId: id, outcome: "SUCCEEDED", result });
    await counted(send(connection, completed, agent, "SUCCEEDED"));
  };
}

/** The conversation of a caller. */
export function conversationOf(caller: number): string {
  return `bench-${caller}`;
}

/** A session for each conversation, so that there is one to find for every step. */
export async function openSessions(url: string, token: string, callers: number): Promise<void> {
  const connection = await openConnection(url);
  try {
    for (let caller = 0; caller < callers; caller += 1) {
      await connection.post(startSessionBody({ conversationId: conversationOf(caller) }), token);
    }
  } finally {
    connection.close();
  }
}
