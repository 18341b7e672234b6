import type { ActionView } from "../../domain/actions/action.ts";
import { ActionRefusal, notFound } from "../../domain/actions/errors.ts";
import { DirectoryRefusal } from "../../domain/directory/errors.ts";
import { SessionRefusal } from "../../domain/sessions/errors.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import { ActionRef } from "../actions/action.ts";
import { EntryRef } from "../ledger/entry.ts";
import { builder } from "./builder.ts";
import type { Context } from "./context.ts";
import { seesAction } from "./reads.ts";
import { type ActionRow, actionRow, type EntryRow, entryRow } from "./rows.ts";

export interface UserErrorShape {
  readonly code: string;
  readonly message: string;
  readonly path: readonly string[];
}

const UserError = builder.interfaceRef<UserErrorShape>("UserError").implement({
  description: "An expected refusal: what was asked for was understood, and the answer is no.",
  fields: (t) => ({
    code: t.exposeString("code", { description: "One of the published codes." }),
    message: t.exposeString("message", { description: "Why, and what to do about it, for people." }),
    path: t.stringList({
      description: "The member of the input that is meant; empty for the whole.",
      resolve: ({ path }) => [...path],
    }),
  }),
});

builder.objectRef<UserErrorShape>("Refusal").implement({
  description: "The only kind of user error so far.",
  interfaces: [UserError],
  isTypeOf: () => true,
});

/** What a mutation about an action answers. */
export interface ActionPayload {
  readonly action?: ActionRow | undefined;
  readonly entry?: EntryRow | undefined;
  readonly userErrors: readonly UserErrorShape[];
}

interface Result {
  readonly action?: ActionView | undefined;
  readonly entry?: LedgerEntry | undefined;
}

/** The part of a payload every action result has. What was answered needs no second reading to be selected from. */
function toPayload<R extends Result>({ known }: Context, result: R): Payload<R> {
  const { action: view, entry: recorded, ...rest } = result;
  const action = view && actionRow(view);
  const entry = recorded && entryRow(recorded);
  if (action !== undefined && view !== undefined) {
    known.actions.set(view.state.id, action);
    known.entries.set(view.proposal.seq, entryRow(view.proposal));
  }
  if (entry !== undefined && recorded !== undefined) known.entries.set(recorded.seq, entry);
  return { ...rest, action, entry, userErrors: [] };
}

type Payload<R extends Result> = Omit<R, keyof Result> & ActionPayload;
type Refused<R extends Result> = Partial<Omit<R, keyof Result>> & ActionPayload;

/**
 * The payload of `work`: its result, or its refusal as a user error. Any other error is not an answer, and goes on.
 *
 * @param named how the caller named the action. Whoever has a token of it knows that it exists; whoever has an id may have
 *   guessed it, and is told of an action they may not see what they would be told if there were none.
 */
export async function answer<R extends Result>(
  context: Context,
  work: Promise<R>,
  named: "id" | "token" = "id",
): Promise<Payload<R> | Refused<R>> {
  try {
    return toPayload(context, await work);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    context.onRefusal(error.code);
    const told = named === "id" && isHidden(context, error) ? notFound(["actionId"]) : error;
    return { ...refused(context, told), userErrors: [userError(told)] } as unknown as Refused<R>;
  }
}

type AnyRefusal = ActionRefusal | SessionRefusal | DirectoryRefusal;

function isRefusal(error: unknown): error is AnyRefusal {
  return error instanceof ActionRefusal || error instanceof SessionRefusal || error instanceof DirectoryRefusal;
}

function isHidden(context: Context, error: AnyRefusal): boolean {
  return error instanceof ActionRefusal && error.action !== undefined && !seesAction(context, actionRow(error.action));
}

/** What comes with a refusal: the action as it stands, for those who may see it. */
function refused(context: Context, error: AnyRefusal): ActionPayload {
  if (!(error instanceof ActionRefusal) || error.action === undefined) return { userErrors: [] };
  const { action, entry } = error;
  return seesAction(context, actionRow(action)) ? toPayload(context, { action, entry }) : { userErrors: [] };
}

function userError({ code, message, path }: AnyRefusal): UserErrorShape {
  return { code, message, path: path.length === 0 ? [] : ["input", ...path] };
}

/** Registers a payload type; every one has `userErrors`. */
export function payloadType<Shape extends { readonly userErrors: readonly UserErrorShape[] }>(
  name: string,
  description: string,
) {
  const ref = builder.objectRef<Shape>(name);
  builder.objectType(ref, { description });
  builder.objectField(ref, "userErrors", (t) =>
    t.field({
      type: [UserError],
      description: "Why nothing was done; empty when it was.",
      resolve: ({ userErrors }) => [...userErrors],
    }),
  );
  return ref;
}

/** A payload type with `action` and `entry`. */
export function actionPayloadType<Shape extends ActionPayload>(name: string, description: string) {
  const ref = payloadType<Shape>(name, description);
  builder.objectFields(ref, (t) => ({
    action: t.field({
      type: ActionRef,
      nullable: true,
      description: "The action as it stands now.",
      resolve: ({ action }) => action,
    }),
    entry: t.field({
      type: EntryRef,
      nullable: true,
      description: "What was recorded: the receipt.",
      resolve: ({ entry }) => entry,
    }),
  }));
  return ref;
}
