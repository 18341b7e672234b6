import { readsOrganization } from "../domain/visibility/visibility.ts";
import { type Context, viewerOf } from "./context.ts";
import { seesAction } from "./reads.ts";
import { ACTION_SELECT, type ActionRow } from "./rows.ts";

/** Rows looked at for one page at most; a page may end short there, and goes on behind its last cursor. */
const MAX_SCANNED = 5_000;
const BATCH = 100;

export interface ListOptions {
  /** Any of these; every status when undefined. */
  readonly statuses: readonly string[] | undefined;
  /** Only actions proposed before this position. */
  readonly before: bigint | undefined;
  readonly limit: number;
  /** Asked of each action the caller may see. */
  readonly keep?: (action: ActionRow) => boolean | Promise<boolean>;
}

/** Actions the caller may see, the latest proposed first; at most `limit`. */
export async function listActions(context: Context, options: ListOptions): Promise<ActionRow[]> {
  const { limit, keep = () => true } = options;
  const found: ActionRow[] = [];
  const ownOnly = !readsOrganization(viewerOf(context));
  const size = ownOnly || options.keep !== undefined ? Math.max(limit, BATCH) : limit;
  let before = options.before;
  for (let scanned = 0; found.length < limit && scanned < MAX_SCANNED; ) {
    const batch = await readBatch(context, options.statuses, before, size);
    for (const action of batch) {
      if (found.length < limit && seesAction(context, action) && (await keep(action))) found.push(action);
    }
    const last = batch.at(-1);
    if (last === undefined || batch.length < size) return found;
    before = last.proposedSeq;
    scanned += batch.length;
  }
  return found;
}

async function readBatch(
  context: Context,
  statuses: readonly string[] | undefined,
  before: bigint | undefined,
  take: number,
): Promise<ActionRow[]> {
  if (statuses === undefined) return readProposed(context, before, take);
  // One look at the index for each status: each is in order there, and all of them together are not.
  const lists = await Promise.all([...new Set(statuses)].map((status) => readStatus(context, status, before, take)));
  return lists
    .flat()
    .sort((one, other) => Number(other.proposedSeq - one.proposedSeq))
    .slice(0, take);
}

function agentOf(context: Context): string | undefined {
  const viewer = viewerOf(context);
  return viewer.kind === "AGENT" ? viewer.id : undefined;
}

function readStatus(context: Context, status: string, before: bigint | undefined, take: number): Promise<ActionRow[]> {
  const { services, ledger } = context;
  const agentId = agentOf(context);
  return services.prisma.action.findMany({
    where: {
      ledger,
      status,
      ...(agentId === undefined ? {} : { agentId }),
      ...(before === undefined ? {} : { proposedSeq: { lt: before } }),
    },
    orderBy: { proposedSeq: "desc" },
    take,
    select: ACTION_SELECT,
  });
}

/** By the entries that proposed them: the ledger has those in order, and the actions of one agent together. */
async function readProposed(context: Context, before: bigint | undefined, take: number): Promise<ActionRow[]> {
  const { services, ledger } = context;
  const actorId = agentOf(context);
  const rows = await services.prisma.entry.findMany({
    where: {
      ledger,
      type: "ACTION_PROPOSED",
      ...(actorId === undefined ? {} : { actorId }),
      ...(before === undefined ? {} : { seq: { lt: before } }),
    },
    orderBy: { seq: "desc" },
    take,
    select: { action: { select: ACTION_SELECT } },
  });
  return rows.flatMap(({ action }) => (action === null ? [] : [action]));
}
