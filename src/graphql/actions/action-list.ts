import type { Concern } from "../../ledger/concern.ts";
import type { Context } from "../base/context.ts";
import { readableBy, seesAction } from "../base/reads.ts";
import { ACTION_SELECT, type ActionRow } from "../base/rows.ts";

/** Rows looked at for one page at most, when something is asked of them that the database cannot answer. */
const MAX_LOOKS = 1_000;
const BATCH = 100;

export interface ListOptions {
  /** Any of these; every status when undefined. */
  readonly statuses: readonly string[] | undefined;
  /** Only actions proposed before this position. */
  readonly before: bigint | undefined;
  readonly limit: number;
  /** Asked of each action the caller may see. */
  readonly keep?: (action: ActionRow) => Promise<boolean>;
}

export interface Listed {
  readonly found: readonly ActionRow[];
  /** Where looking ended early: more may lie behind. */
  readonly stoppedAt: bigint | undefined;
}

/** Actions the caller may see, the latest proposed first; at most `limit`. */
export async function listActions(context: Context, options: ListOptions): Promise<Listed> {
  const { statuses, limit, keep } = options;
  const found: ActionRow[] = [];
  const size = keep === undefined ? limit : Math.max(limit, BATCH);
  let before = options.before;
  for (let looks = 0; looks < MAX_LOOKS; ) {
    const batch = await readBatch(context, statuses, before, size);
    for (const action of batch) {
      if (!seesAction(context, action) || !((await keep?.(action)) ?? true)) continue;
      found.push(action);
      if (found.length === limit) return { found, stoppedAt: undefined };
    }
    before = batch.at(-1)?.proposedSeq ?? before;
    if (batch.length < size) return { found, stoppedAt: undefined };
    looks += batch.length;
  }
  return { found, stoppedAt: before };
}

/** What an action must have in its row for the caller to see it: one of these. */
interface Theirs {
  readonly agentId?: { readonly in: string[] };
  readonly onBehalfOfId?: { readonly in: string[] } | null;
}

function theirs(context: Context): readonly Theirs[] {
  return readableBy(context)?.map(theirsOf) ?? [{}];
}

function theirsOf({ actorIds, people }: Concern): Theirs {
  return {
    ...(actorIds === undefined ? {} : { agentId: { in: [...actorIds] } }),
    ...(people === undefined ? {} : { onBehalfOfId: peopleOf(people) }),
  };
}

/** Nobody is never one among others. */
function peopleOf(people: readonly (string | null)[]): { readonly in: string[] } | null {
  const named = people.filter((person) => person !== null);
  return named.length === 0 ? null : { in: named };
}

/** The next `take` actions the caller may see, as one look at an index for each way an action can be among them. */
async function readBatch(
  context: Context,
  statuses: readonly string[] | undefined,
  before: bigint | undefined,
  take: number,
): Promise<ActionRow[]> {
  const lists = await Promise.all(
    theirs(context).flatMap((whose) =>
      statuses === undefined
        ? [readProposed(context, whose, before, take)]
        : [...new Set(statuses)].map((status) => readStatus(context, status, whose, before, take)),
    ),
  );
  const [only = []] = lists;
  if (lists.length === 1) return only;
  // Each list is in order, and all of them together are not. What is in two of them is one action.
  const all = new Map(lists.flat().map((action) => [action.proposedSeq, action]));
  return [...all.values()].sort((one, other) => Number(other.proposedSeq - one.proposedSeq)).slice(0, take);
}

function readStatus(
  { services, ledger }: Context,
  status: string,
  whose: Theirs,
  before: bigint | undefined,
  take: number,
): Promise<ActionRow[]> {
  return services.prisma.action.findMany({
    where: { ledger, status, ...whose, ...(before === undefined ? {} : { proposedSeq: { lt: before } }) },
    orderBy: { proposedSeq: "desc" },
    take,
    select: ACTION_SELECT,
  });
}

/** By the entries that proposed them: the ledger has those in order, and those of one principal or person together. */
async function readProposed(
  { services, ledger }: Context,
  { agentId, onBehalfOfId }: Theirs,
  before: bigint | undefined,
  take: number,
): Promise<ActionRow[]> {
  const rows = await services.prisma.entry.findMany({
    where: {
      ledger,
      type: "ACTION_PROPOSED",
      ...(agentId === undefined ? {} : { actorId: agentId }),
      ...(onBehalfOfId === undefined ? {} : { onBehalfOfId }),
      ...(before === undefined ? {} : { seq: { lt: before } }),
    },
    orderBy: { seq: "desc" },
    take,
    select: { action: { select: ACTION_SELECT } },
  });
  return rows.flatMap(({ action }) => (action === null ? [] : [action]));
}
