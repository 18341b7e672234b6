import { termsOf } from "../../domain/actions/terms.ts";
import type { Context } from "../base/context.ts";
import { readerOf } from "../base/viewer.ts";
import { mayDecide, readAction } from "./reads.ts";
import { type ActionNode, viewOf } from "./rows.ts";
import { createWaiting } from "./waiting.ts";

/** Actions of one subscription that wait to escalate at most; beyond them, the earliest noted is forgotten. */
const WAITING = 1_000;
/** Actions that one pass looks at. */
export const PASS = 100;

/** Actions that were sent to one subscriber, or could not be, and that they can decide once these escalate. No entry begins that. */
export interface Escalations {
  /** Remembers an action that the caller cannot decide yet. */
  note(action: ActionNode): void;
  /** Those that they can decide now, as they are now; each once. Looks at PASS actions at most: the next call goes on. */
  due(): Promise<readonly ActionNode[]>;
}

export function createEscalations(context: Context): Escalations {
  const waiting = createWaiting(WAITING);

  /** The earliest escalation to come that is to a group of the caller, or to one of whose members lent them a right. */
  function begins(action: ActionNode): number | undefined {
    const { principal, lentGroups = [] } = readerOf(context);
    const groups = [...principal.groups, ...lentGroups];
    const instants = termsOf(viewOf(action).proposal).requirements.flatMap(({ escalation }) =>
      escalation !== undefined && groups.includes(escalation.group) ? [Date.parse(escalation.at)] : [],
    );
    return instants.length === 0 ? undefined : Math.min(...instants);
  }

  return {
    note(action) {
      const at = begins(action);
      if (at !== undefined) waiting.note(action.id, at);
    },
    async due() {
      const ids = waiting.take(Date.now(), PASS);
      const found = await Promise.all(ids.map((id) => readAction(context, id)));
      const shown = await Promise.all(
        found.map(async (action, at) => {
          const id = ids[at];
          const isPending = action !== null && viewOf(action).state.status === "PENDING";
          const isDecidable = isPending && (await mayDecide(context, action));
          // The clock of the database may not be there yet.
          if (id !== undefined && (isDecidable || !isPending)) waiting.forget(id);
          return isDecidable ? [action] : [];
        }),
      );
      return shown.flat();
    },
  };
}
