import { createClient } from "graphql-ws";
import { asError } from "../../errors.ts";
import { type Api, webSocketUrl } from "../api.ts";
import { CommandError } from "../exit.ts";
import { APPROVE, FOLLOW_PENDING, pendingEvent, READ_ACTION } from "./operations.ts";

/** The demo approvers at work: they see what becomes pending and countersign what belongs to this replay. */
export interface Inbox {
  /** Resolves once an approver has approved the action; rejects with the reason when nobody could. */
  approved(actionId: string): Promise<void>;
  close(): Promise<void>;
}

export interface InboxOptions {
  /** Take turns, beginning with the first, whose inbox is followed. */
  readonly approvers: readonly Api[];
  /** A fresh token of the first approver, for each connection. */
  readonly token: () => Promise<string>;
  /** Ledger position from which to follow, a decimal string. */
  readonly after: string;
  /** Told why the subscription ended early; the replay goes on without it. */
  readonly warn: (message: string) => void;
}

interface Waiting {
  readonly settle: PromiseWithResolvers<void>;
  /** Looks the action up should the subscription not bring it. */
  readonly backstop: NodeJS.Timeout;
}

const backstopDelay = 5_000;

/** graphql-ws reports a socket's close event, a list of GraphQL errors, or an Error. */
function reasonOf(error: unknown): string {
  if (Array.isArray(error)) return error.map((each) => asError(each).message).join("; ");
  if (typeof error === "object" && error !== null && "code" in error && "reason" in error) {
    return `closed with ${String(error.code)} ${String(error.reason)}`;
  }
  return asError(error).message;
}

/** Approves what it is shown: the digest comes from the approver's own view, never from the agent. */
export function openInbox(options: InboxOptions): Inbox {
  const [first] = options.approvers;
  if (first === undefined) throw new CommandError("USAGE", "an inbox needs an approver");
  /** Pending according to the server, not yet asked for by this replay: id to digest. */
  const announced = new Map<string, string>();
  const waiting = new Map<string, Waiting>();
  let turn = 0;

  const decide = async (actionId: string, digest: string) => {
    const entry = waiting.get(actionId);
    if (entry === undefined) return;
    waiting.delete(actionId);
    announced.delete(actionId);
    clearTimeout(entry.backstop);
    const approver = options.approvers[turn++ % options.approvers.length]!;
    try {
      const { data, attempts } = await approver.run(APPROVE, {
        input: { actionId, digest, note: "Replayed approval" },
      });
      const { action, userErrors } = data.approveAction;
      const [refusal] = userErrors;
      // A first attempt whose answer got lost has done it.
      const alreadyDone = attempts > 1 && action?.status === "APPROVED";
      if (refusal !== undefined && !alreadyDone) {
        throw new CommandError("FAILED", `approval refused, ${refusal.code}: ${refusal.message}`);
      }
      entry.settle.resolve();
    } catch (error) {
      entry.settle.reject(error);
    }
  };

  const lookUp = async (actionId: string) => {
    try {
      const { data } = await first.run(READ_ACTION, { id: actionId });
      if (data.action?.status === "PENDING") await decide(actionId, data.action.digest);
      else
        throw new CommandError(
          "FAILED",
          `an approver finds the action ${data.action?.status ?? "nowhere"}, not PENDING`,
        );
    } catch (error) {
      const entry = waiting.get(actionId);
      waiting.delete(actionId);
      entry?.settle.reject(error);
    }
  };

  const client = createClient({
    url: webSocketUrl(first.url),
    connectionParams: async () => ({ authorization: `Bearer ${await options.token()}` }),
    // The server replays from the same position after a reconnect; what was decided meanwhile is known here.
    shouldRetry: () => true,
    retryAttempts: Number.POSITIVE_INFINITY,
  });
  const onEvent = (data: unknown) => {
    const { change, action } = pendingEvent.parse(data).pendingApprovals;
    if (action === null) return;
    if (change === "REMOVED") {
      announced.delete(action.id);
    } else if (waiting.has(action.id)) {
      void decide(action.id, action.digest);
    } else {
      announced.set(action.id, action.digest);
    }
  };
  const unsubscribe = client.subscribe(
    { query: FOLLOW_PENDING, variables: { after: options.after } },
    {
      next: ({ data, errors }) => {
        if (errors === undefined) onEvent(data);
      },
      // The backstop keeps a replay going whose subscription is refused.
      error: (error) =>
        options.warn(`the approver's subscription ended (${reasonOf(error)}), looking actions up instead`),
      complete: () => undefined,
    },
  );

  return {
    approved(actionId) {
      const settle = Promise.withResolvers<void>();
      const backstop = setTimeout(() => void lookUp(actionId), backstopDelay);
      waiting.set(actionId, { settle, backstop });
      const digest = announced.get(actionId);
      if (digest !== undefined) void decide(actionId, digest);
      return settle.promise;
    },
    async close() {
      unsubscribe();
      for (const { backstop, settle } of waiting.values()) {
        clearTimeout(backstop);
        settle.reject(new CommandError("FAILED", "the replay ended before the approval"));
      }
      waiting.clear();
      await client.dispose();
    },
  };
}
