import { ACTION_STATUSES } from "../../facts/areas/actions.ts";
import type { LedgerId } from "../../facts/entry.ts";
import type { Queryable } from "../../ledger/read.ts";
import { withListErrors } from "../ledger-errors.ts";
import { decisionsQuery, proposalsQuery, type Recorded, separationQuery, statusesQuery } from "./queries.ts";

/** From an instant until before another one; RFC 3339 in UTC. */
export interface Period {
  readonly from: string;
  readonly to: string;
}

/** What one person decided. */
export interface ApproverLoad {
  readonly approverId: string;
  readonly decisions: number;
  readonly denials: number;
  /** From the proposal to the decision. */
  readonly medianSecondsToDecide: number | undefined;
}

/** Decisions, and whether those who made them could make them. `query` is the SQL that counted them, and has no parameters. */
export interface SeparationOfDuties {
  readonly decisions: number;
  readonly violations: number;
  /** Decisions of those who had asked, which the policy permitted them. */
  readonly exceptions: number;
  readonly query: string;
}

/** Decisions, counted for shares of them. */
export interface Decided {
  readonly decisions: number;
  /** Those of which the entry says when the action was first shown to who decided. */
  readonly opened: number;
  /** Those of which it is known since when they could be made, and those of these that were made within five seconds. */
  readonly considered: number;
  readonly quick: number;
}

export interface Oversight {
  /** Proposals by what the policy said of them. */
  readonly proposals: Readonly<Record<string, number>>;
  /** The same actions by their status now. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly medianSecondsToDecide: number | undefined;
  readonly decided: Decided;
  /** How often people denied what was proposed, or took an approval back. */
  readonly overrides: number;
  /** How often somebody approved alone, in an emergency, what would have needed more people. */
  readonly breakGlass: number;
  /** The busiest first. */
  readonly load: readonly ApproverLoad[];
  readonly separationOfDuties: SeparationOfDuties;
  /** Ids of the rules that matched in a proposal. */
  readonly matchedRules: ReadonlySet<string>;
}

export const MAX_DAYS = 400;
/** People whose load is told. */
export const MAX_APPROVERS = 100;
const DAY = 86_400_000;

/** Why `period` cannot be reported about, as a sentence; undefined: it can. */
export function periodProblem({ from, to }: Period): string | undefined {
  const days = (Date.parse(to) - Date.parse(from)) / DAY;
  if (!(days > 0)) return "`from` must be before `to`.";
  return days > MAX_DAYS ? `The period must not be longer than ${MAX_DAYS} days: ask for a part of it.` : undefined;
}

interface DecisionsRow {
  readonly approver: string | null;
  readonly everybody: boolean;
  readonly decisions: string;
  readonly denials: string;
  readonly median: number | null;
  readonly quick: string;
  readonly considered: string;
  readonly opened: string;
}

async function decisionsIn(db: Queryable, recorded: Recorded) {
  const { rows } = await db.query<DecisionsRow>(decisionsQuery(recorded, MAX_APPROVERS));
  const [all, ...people] = rows;
  const { decisions = 0, opened = 0, considered = 0, quick = 0 } = all ?? {};
  return {
    medianSecondsToDecide: all?.median ?? undefined,
    decided: {
      decisions: Number(decisions),
      opened: Number(opened),
      considered: Number(considered),
      quick: Number(quick),
    },
    denials: Number(all?.denials ?? 0),
    load: people.map((row) => ({
      approverId: row.approver ?? "",
      decisions: Number(row.decisions),
      denials: Number(row.denials),
      medianSecondsToDecide: row.median ?? undefined,
    })),
  };
}

async function separationIn(db: Queryable, recorded: Recorded): Promise<SeparationOfDuties> {
  const query = separationQuery(recorded);
  type Row = { readonly [name in "decisions" | "violations" | "exceptions"]: string };
  const { rows } = await db.query<Row>(query);
  const [row] = rows;
  if (row === undefined) throw new Error("a count has no row");
  const { decisions, violations, exceptions } = row;
  return { decisions: Number(decisions), violations: Number(violations), exceptions: Number(exceptions), query };
}

/**
 * How people oversaw what was proposed and decided in `period`, which must have no `periodProblem`. Throws LedgerUnavailableError, and the error of a
 * query that took too long.
 */
export async function readOversight(db: Queryable, ledger: LedgerId, period: Period): Promise<Oversight> {
  return withListErrors(read(db, ledger, period));
}

async function read(db: Queryable, ledger: LedgerId, { from, to }: Period): Promise<Oversight> {
  const { rows: positions } = await db.query<{ readonly first: string; readonly end: string }>({
    text: "SELECT oc_position_at($1, $2) AS first, oc_position_at($1, $3) AS end",
    values: [ledger, from, to],
  });
  const recorded = { ledger, from, to, first: BigInt(positions[0]!.first), end: BigInt(positions[0]!.end) };
  type Proposals = {
    readonly outcomes: Readonly<Record<string, number>>;
    readonly rules: readonly string[];
    readonly revoked: string;
    readonly broken: string;
  };
  const { rows: proposed } = await db.query<Proposals>(proposalsQuery(recorded));
  const { outcomes, rules, revoked, broken } = proposed[0]!;
  const { rows: states } = await db.query<{ readonly status: string; readonly actions: string }>(
    statusesQuery(recorded, ACTION_STATUSES),
  );
  const { denials, ...decided } = await decisionsIn(db, recorded);
  return {
    ...decided,
    proposals: { PERMIT: 0, REQUIRE: 0, FORBID: 0, ...outcomes },
    statuses: Object.fromEntries(states.map(({ status, actions }) => [status, Number(actions)])),
    overrides: denials + Number(revoked),
    breakGlass: Number(broken),
    separationOfDuties: await separationIn(db, recorded),
    matchedRules: new Set(rules),
  };
}
