import type { Prisma } from "../../db/generated/prisma/client.ts";
import type { ActionView } from "../../domain/actions/action.ts";

/** What identifies an action, as Pothos has it from Prisma's model; the rest is in `viewOf`. */
export const ACTION_SELECT = { ledger: true, id: true } as const satisfies Prisma.ActionSelect;

export type ActionNode = Prisma.ActionGetPayload<{ select: typeof ACTION_SELECT }>;

const views = new WeakMap<ActionNode, ActionView>();
const rows = new WeakMap<ActionView, ActionNode>();

/** An action that the domain returned, as a row. */
export function actionNode(view: ActionView): ActionNode {
  let row = rows.get(view);
  if (row === undefined) {
    row = { ledger: view.proposal.ledger, id: view.state.id };
    rows.set(view, row);
    views.set(row, view);
  }
  return row;
}

export function viewOf(row: ActionNode): ActionView {
  const view = views.get(row);
  if (view === undefined) throw new Error(`action ${row.id} was not read by the domain`);
  return view;
}
