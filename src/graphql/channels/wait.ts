import { Kind, type OperationDefinitionNode } from "graphql";
import type { LedgerEntry } from "../../facts/entry.ts";
import { listOf, objectOf } from "../../facts/members.ts";
import { ActionRef } from "../actions/action.ts";
import { readAction, seesAction } from "../actions/reads.ts";
import { type ActionNode, viewOf } from "../actions/rows.ts";
import { builder } from "../base/builder.ts";
import { type Context, followingContext } from "../base/context.ts";
import { badUserInput } from "../base/errors.ts";
import { uuidOfNodeId } from "../base/node-id.ts";
import { headOf } from "../base/position.ts";

/** Seconds that one call waits at most: proxies end requests that take much longer. */
const MAX_SECONDS = 25;

builder.queryField("waitForDecision", (t) =>
  t.field({
    type: ActionRef,
    nullable: true,
    description: `A long poll: returns the action once it does not wait for people any more, or as it is after \`seconds\`; null when there is none that you may see. Each call that waits counts as one of your streams. In a query with other fields, \`seconds\` has to be 0: all of them are read at one moment.`,
    authScopes: { signedIn: true },
    args: {
      id: t.arg.id({ required: true, description: "The action." }),
      seconds: t.arg.int({ description: `How long to wait, at most ${MAX_SECONDS}. Default: ${MAX_SECONDS}.` }),
    },
    resolve: (_root, { id, seconds }, context, { operation }) => {
      const wait = seconds ?? MAX_SECONDS;
      if (wait < 0 || wait > MAX_SECONDS) throw badUserInput(`\`seconds\` is from 0 to ${MAX_SECONDS}.`);
      // What others read would be from before the wait, and hold a connection of the database until its end.
      if (wait > 0 && !isAlone(operation)) {
        throw badUserInput(
          "`waitForDecision` waits only in a query of its own: leave the other fields out, or pass `seconds: 0`.",
        );
      }
      return decided(context, uuidOfNodeId("Action", context.ledger, id), wait);
    },
  }),
);

function isAlone({ selectionSet: { selections } }: OperationDefinitionNode): boolean {
  return selections.length === 1 && selections[0]?.kind === Kind.FIELD;
}

async function decided(context: Context, uuid: string, seconds: number): Promise<ActionNode | null> {
  // No snapshot: it would show what was when the wait began, and keep a connection.
  const latest = (): Context => ({ ...followingContext(context), snapshot: undefined });
  const read = async () => {
    const action = await readAction(latest(), uuid);
    return action !== null && seesAction(context, action) ? action : null;
  };
  const { seq } = await headOf(latest());
  const action = await read();
  if (action === null || seconds === 0 || !waits(action)) return action;
  const over = new AbortController();
  const ends = context.ends(over.signal);
  try {
    const signal = AbortSignal.any([ends, AbortSignal.timeout(seconds * 1_000)]);
    for await (const entries of context.services.follower.follow(context.ledger, seq, signal)) {
      if (entries === "idle" || !entries.some((entry) => moves(entry, uuid))) continue;
      const now = await read();
      if (now === null || !waits(now)) return now;
    }
    if (ends.aborted) throw ends.reason;
    return await read();
  } finally {
    over.abort();
  }
}

const waits = (action: ActionNode) => viewOf(action).state.status === "PENDING";

function moves({ body }: LedgerEntry, uuid: string): boolean {
  return listOf(body.states).some((state) => {
    const { kind, id } = objectOf(state);
    return kind === "ACTION" && id === uuid;
  });
}
