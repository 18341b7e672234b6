import type { ActionView } from "../../domain/actions/action.ts";
import { ActionRefusal, notFound } from "../../domain/actions/errors.ts";
import { Refusal } from "../../errors.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import { builder } from "../base/builder.ts";
import type { Context } from "../base/context.ts";
import { orRefusal, type UserErrorShape, userError } from "../base/payload.ts";
import { entryNode } from "../base/rows.ts";
import { recordedEntries } from "../ledger/reads.ts";
import { type Receipt, receiptType, received } from "../ledger/receipt.ts";
import { ActionRef } from "./action.ts";
import { changedActions, seesAction } from "./reads.ts";
import { type ActionNode, actionNode } from "./rows.ts";

/** What a mutation about an action returns. */
export interface ActionPayload extends Receipt {
  readonly action?: ActionNode | undefined;
}

interface Result {
  readonly action?: ActionView | undefined;
  readonly entry?: LedgerEntry | undefined;
}

type Payload<R extends Result> = Omit<R, keyof Result> & ActionPayload;
type Refused<R extends Result> = Partial<Omit<R, keyof Result>> & ActionPayload;

/** What was returned needs no second reading to be selected from. */
function toPayload<R extends Result>(context: Context, result: R): Payload<R> {
  const { action: view, ...rest } = result;
  const action = view && actionNode(view);
  if (action !== undefined && view !== undefined) {
    changedActions(context).set(view.state.id, action);
    if (view.sealed !== true) recordedEntries(context).set(view.proposal.seq, entryNode(view.proposal));
  }
  return { ...received(context, rest), action } as unknown as Payload<R>;
}

/**
 * The payload of `work`: its result, or its refusal as a user error.
 *
 * @param named how the caller named the action. By a token they know that it exists; an id could be guessed, so an action
 *   that the caller may not see is reported as NOT_FOUND.
 */
export function actionPayload<R extends Result>(
  context: Context,
  work: Promise<R>,
  named: "id" | "token" = "id",
): Promise<Payload<R> | Refused<R>> {
  return orRefusal(
    context,
    work.then((result) => toPayload(context, result)),
    (refusal) => {
      const hidden = named === "id" && isHidden(context, refusal);
      return refusedPayload<R>(context, refusal, userError(hidden ? notFound(["actionId"]) : refusal));
    },
  );
}

/** The payload of one of several: its result, or its refusal as a user error. `at` is the path of its input. */
export function outcomePayload<R extends Result>(
  context: Context,
  outcome: R | Refusal,
  at: readonly string[],
): Payload<R> | Refused<R> {
  if (!(outcome instanceof Refusal)) return toPayload(context, outcome);
  context.onRefusal(outcome.code);
  return refusedPayload<R>(context, outcome, userError(outcome, at));
}

/** The same for one of several decisions, whose action the caller named by its id. */
export function decidedPayload<R extends Result>(context: Context, outcome: R | Refusal, at: readonly string[]) {
  if (!(outcome instanceof Refusal && isHidden(context, outcome))) return outcomePayload(context, outcome, at);
  context.onRefusal(outcome.code);
  return refusedPayload<R>(context, outcome, userError(notFound(["actionId"]), at));
}

function refusedPayload<R extends Result>(context: Context, refusal: Refusal, error: UserErrorShape): Refused<R> {
  return { ...refused(context, refusal), userErrors: [error] } as unknown as Refused<R>;
}

function isHidden(context: Context, refusal: Refusal): boolean {
  return (
    refusal instanceof ActionRefusal && refusal.action !== undefined && !seesAction(context, actionNode(refusal.action))
  );
}

/** The payload of a refusal: the current action if the caller may see it. */
function refused(context: Context, refusal: Refusal): ActionPayload {
  if (!(refusal instanceof ActionRefusal) || refusal.action === undefined) return { userErrors: [] };
  const { action, entry } = refusal;
  return seesAction(context, actionNode(action)) ? toPayload(context, { action, entry }) : { userErrors: [] };
}

/** A payload type with `action` and `entry`. */
export function actionPayloadType<Shape extends ActionPayload>(name: string, description: string) {
  const ref = receiptType<Shape>(name, description);
  builder.objectField(ref, "action", (t) =>
    t.field({
      type: ActionRef,
      nullable: true,
      description: "The action in its current state; null when there is none that you may see.",
      resolve: ({ action }) => action,
    }),
  );
  return ref;
}
