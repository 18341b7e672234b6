import { listAsked } from "../../domain/actions/loading/list.ts";
import { databaseTime } from "../../domain/database-time.ts";
import type { LentRight } from "../../domain/directory/delegations.ts";
import { instant, type LedgerEntry } from "../../facts/entry.ts";
import { listOf, objectOf, textOf } from "../../facts/members.ts";
import { type Context, viewerOf } from "../base/context.ts";
import { entryOf } from "../base/rows.ts";
import { readPositions } from "../ledger/reads.ts";
import { PASS } from "./escalations.ts";
import { type ActionNode, actionNode } from "./rows.ts";

/** What becomes of a pending action for a subscriber because a right that they were lent began, or is over. */
export interface LentChange {
  readonly change: "BEGAN" | "ENDED";
  readonly action: ActionNode;
}

/** Follows the rights that one subscriber was lent. No entry begins most of them, and no entry ends those whose time passes. */
export interface LentActions {
  /** Takes in what entries say of these rights. */
  take(entries: readonly LedgerEntry[]): Promise<void>;
  /**
   * Pending actions up to position `cursor` that one of these rights is about that began, or is over, since: what is over never names one
   * that was proposed afterwards. Looks at PASS actions at most: the next call goes on.
   */
  pass(cursor: bigint): Promise<readonly LentChange[]>;
}

/** A right that has to be told of. */
interface Task {
  readonly change: LentChange["change"];
  readonly group: string;
  /** RFC 3339: actions that were proposed from then on were never of this right. */
  readonly until?: string;
  /** The position before which to look for more. */
  before: bigint | undefined;
}

/** @param after as of the subscription: what the subscriber had been told of by then */
export function createLentActions(context: Context, after: bigint | null | undefined): LentActions {
  const { directory } = context.services;
  const { organization, id: person, kind } = viewerOf(context);
  /** The rights that are in force as far as the subscriber was told, and when that was seen last. */
  let told: Map<string, { readonly right: LentRight; seenAt: Date }> | undefined;
  const tasks: Task[] = [];

  /** Each looks at what waits for its group from the latest on, so one makes an earlier one needless: they are no more than groups. */
  function plan(task: Task): void {
    const earlier = tasks.findIndex(({ group }) => group === task.group);
    if (earlier >= 0) tasks.splice(earlier, 1);
    tasks.push(task);
  }

  const known = () => directory.knownToBeLent(organization, person);

  async function begin() {
    const at = await toldAt(context, after);
    const before = at === undefined ? [] : known().filter((right) => isInForce(right, at));
    return new Map(before.map((right) => [right.delegation, { right, seenAt: at ?? new Date(0) }]));
  }

  /** Compares what is in force with what was told. By two clocks, since decisions are judged by that of the database. */
  async function compare(rights: NonNullable<typeof told>) {
    const here = new Date();
    const lent = known();
    const standing = new Set(lent.map(({ delegation }) => delegation));
    const begun = lent.filter((right) => !rights.has(right.delegation) && isInForce(right, here));
    const over = [...rights.values()].filter(({ right }) => !standing.has(right.delegation) || right.expiresAt <= here);
    const there = begun.length + over.length === 0 ? here : await databaseTime(context.db);
    for (const one of rights.values()) if (standing.has(one.right.delegation)) one.seenAt = here;
    for (const { right, seenAt } of over) {
      const stands = standing.has(right.delegation);
      if (stands && right.expiresAt > there) continue;
      rights.delete(right.delegation);
      const until = instant(stands ? right.expiresAt : seenAt);
      plan({ change: "ENDED", group: right.group, until, before: undefined });
    }
    for (const right of begun.filter((one) => isInForce(one, there))) {
      rights.set(right.delegation, { right, seenAt: here });
      plan({ change: "BEGAN", group: right.group, before: undefined });
    }
  }

  return {
    async take(entries) {
      if (kind !== "HUMAN") return;
      told ??= await begin();
      const about = entries.filter((entry) => isDelegationTo(entry, person));
      if (about.length === 0) return;
      await directory.refresh(organization);
      for (const { type, body, recordedAt } of about) {
        const id = textOf(body.delegation);
        const right = told.get(id)?.right ?? directory.wasLent(organization, id);
        told.delete(id);
        // One that never began, or was void before, showed them nothing.
        if (type === "DELEGATION_MADE" || right === undefined || instant(right.startsAt) > recordedAt) continue;
        plan({ change: "ENDED", group: right.group, until: recordedAt, before: undefined });
      }
    },
    async pass(cursor) {
      if (kind !== "HUMAN") return [];
      told ??= await begin();
      await compare(told);
      const changes: LentChange[] = [];
      for (let left = PASS; left > 0; ) {
        const [task] = tasks;
        if (task === undefined) break;
        const { change, group, until } = task;
        const before = task.before ?? cursor + 1n;
        const found = await listAsked(context.db, context.ledger, group, { before, limit: left });
        const last = found.at(-1);
        if (found.length < left || last === undefined) tasks.shift();
        else task.before = last.proposal.seq;
        left -= Math.max(found.length, 1);
        const meant = found.filter(({ proposal }) => until === undefined || proposal.recordedAt < until);
        changes.push(...meant.map((view) => ({ change, action: actionNode(view) })));
      }
      return changes;
    },
  };
}

function isDelegationTo({ type, body }: LedgerEntry, person: string): boolean {
  if (type !== "DELEGATION_MADE" && type !== "DELEGATION_ENDED") return false;
  return listOf(body.states).some((moved) => objectOf(objectOf(moved).state).delegate === person);
}

function isInForce({ startsAt, expiresAt }: LentRight, at: Date): boolean {
  return startsAt <= at && at < expiresAt;
}

/** As of when the subscriber knows what waits; undefined: they know nothing yet. */
async function toldAt(context: Context, after: bigint | null | undefined): Promise<Date | undefined> {
  if (after === null || after === undefined) return new Date();
  const [row] = after === 0n ? [] : await readPositions(context, [after]);
  return row && new Date(entryOf(row).recordedAt);
}
