import { createClient } from "graphql-ws";
import { asError } from "../../errors.ts";
import { type Api, webSocketUrl } from "../api.ts";
import { CommandError } from "../exit.ts";
import { type ActionStatus, APPROVE, FOLLOW_PENDING, pendingEvent, READ_ACTION } from "./operations.ts";

/** The demo approvers at work: they see what becomes pending and countersign what belongs to this replay. */
export interface Inbox {
  /**
   * Resolves once the action is decided, by an approver of this replay or by somebody else, to the status that gave it.
   * Rejects with the reason when nobody could decide.
   */
  decided(actionId: string): Promise<ActionStatus>;
  close(): Promise<void>;
}

export interface InboxOptions {
  /** Take turns, beginning with the first, whose inbox is followed. */
  readonly approvers: readonly Api[];
  /** A fresh token of the first approver, for each connection. */
  readonly token: () => Promise<string>;
  /** Ledger position from which to follow, a decimal string. */
  readonly after: string;
  /** Called with the reason when the subscription ends early; the replay continues without it. */
  readonly warn: (message: string) => void;
}

interface Waiting {
  readonly settle: PromiseWithResolvers<ActionStatus>;
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
  /** Pending according to the server, not yet requested by this replay: id to digest. */
  const announced = new Map<string, string>();
  const waiting = new Map<string, Waiting>();
  let turn = 0;

  /** Nothing that happens to the action from now on decides it for this replay. */
  const forget = (actionId: string): Waiting | undefined => {
    const entry = waiting.get(actionId);
    waiting.delete(actionId);
    clearTimeout(entry?.backstop);
    return entry;
  };

  const decide = async (actionId: string, digest: string) => {
    const entry = forget(actionId);
    if (entry === undefined) return;
    announced.delete(actionId);
    const begin = turn++;
    try {
      // As many as it takes, which the policy says.
      for (const at of options.approvers.keys()) {
        const approver = options.approvers[(begin + at) % options.approvers.length]!;
        const status = await approve(approver, actionId, digest);
        if (status !== "PENDING") return entry.settle.resolve(status);
      }
      const all = options.approvers.length;
      throw new CommandError("FAILED", `it takes more than the ${all} approvers of this replay to approve the action`);
    } catch (error) {
      entry.settle.reject(error);
    }
  };

  /** The status that the approval of `approver` leads to. */
  const approve = async (approver: Api, actionId: string, digest: string): Promise<ActionStatus> => {
    const { data, attempts } = await approver.run(APPROVE, {
      input: { actionId, digest, note: "Replayed approval" },
    });
    const { action, userErrors } = data.approveAction;
    const [refusal] = userErrors;
    // An earlier attempt succeeded, and its response was lost.
    const isDone = attempts > 1 && (action?.status === "APPROVED" || refusal?.code === "ALREADY_VOTED");
    if (action !== null && (refusal === undefined || isDone)) return action.status;
    return decidedElsewhere(actionId, `${refusal?.code}: ${refusal?.message}`);
  };

  /** The status of an action that somebody else decided; `refusal` is why it could not be decided here. */
  const decidedElsewhere = async (actionId: string, refusal: string): Promise<ActionStatus> => {
    const status = await statusOf(actionId);
    if (status === undefined || status === "PENDING") throw new CommandError("FAILED", `approval refused, ${refusal}`);
    return status;
  };

  const statusOf = async (actionId: string): Promise<ActionStatus | undefined> =>
    (await first.run(READ_ACTION, { id: actionId })).data.action?.status;

  const lookUp = async (actionId: string) => {
    try {
      const { action } = (await first.run(READ_ACTION, { id: actionId })).data;
      if (action?.status === "PENDING") return await decide(actionId, action.digest);
      if (action === null) throw new CommandError("FAILED", "an approver cannot find the action");
      forget(actionId)?.settle.resolve(action.status);
    } catch (error) {
      forget(actionId)?.settle.reject(error);
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
      if (waiting.has(action.id)) void lookUp(action.id);
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
    decided(actionId) {
      const settle = Promise.withResolvers<ActionStatus>();
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
        settle.reject(new CommandError("FAILED", "the replay ended before the decision"));
      }
      waiting.clear();
      await client.dispose();
    },
  };
}
