import { classify } from "../../db/errors.ts";
import { mergeOversight } from "../../domain/oversight/merge.ts";
import {
  type ApproverLoad,
  MAX_APPROVERS,
  MAX_DAYS,
  type Oversight,
  type Period,
  periodProblem,
  readOversight,
  type SeparationOfDuties,
} from "../../domain/oversight/oversight.ts";
import { isOfAllRegions, readRegions } from "../base/across-regions/merged.ts";
import { builder } from "../base/builder.ts";
import { type Context, viewerOf } from "../base/context.ts";
import { badUserInput, graphqlError } from "../base/errors.ts";
import { LedgerPosition, type Position, readingAt } from "../base/position.ts";
import { COUNTED_REGION } from "../base/regions.ts";

const ApproverLoadRef = builder.objectRef<ApproverLoad>("ApproverLoad").implement({
  description: "What one person decided in a period.",
  fields: (t) => ({
    approverId: t.exposeID("approverId", { description: "The id of the person." }),
    decisions: t.exposeInt("decisions", { description: "How many decisions they made." }),
    denials: t.exposeInt("denials", { description: "How many of them were denials." }),
    medianSecondsToDecide: t.float({
      nullable: true,
      description:
        "The median of the seconds from a proposal to their decision; null when that is not known of any, and where they decided in several regions.",
      resolve: ({ medianSecondsToDecide }) => medianSecondsToDecide,
    }),
  }),
});

const SeparationOfDutiesRef = builder.objectRef<SeparationOfDuties>("SeparationOfDuties").implement({
  description:
    "Whether those who decided in a period were allowed to: no agent, not who had asked or for whom it was asked, and nobody twice; who decides in the place of another person counts as both. People are compared by their ids; who owns an agent is not compared here, but when they decide.",
  fields: (t) => ({
    decisions: t.exposeInt("decisions", {
      description: "Decisions that were recorded, and approvals in an emergency (`breakGlass`).",
    }),
    violations: t.exposeInt("violations", {
      description:
        "Decisions that somebody made who must not have, and those of which the entries do not show who had asked.",
    }),
    exceptions: t.exposeInt("exceptions", {
      description: "Decisions of who had asked that the policy of the proposal permitted them.",
    }),
    query: t.exposeString("query", {
      description:
        "The SQL that counted these numbers. It has no parameters: run it as a login of `oc_auditor` to get the same row. Of several regions, one statement for the database of each, in the order of `asOf`: the numbers are the sums.",
    }),
  }),
});

interface OversightShape extends Oversight {
  readonly unmatchedRules: readonly string[];
  readonly asOf: readonly Position[];
  readonly unreadRegions: readonly string[];
}

const OversightRef = builder.objectRef<OversightShape>("Oversight").implement({
  description: "How people oversaw what was proposed and decided in a period, counted from the entries of the ledger.",
  fields: (t) => ({
    proposals: t.field({
      type: "JSON",
      description: "How many actions were proposed, by what the policy said: `PERMIT`, `REQUIRE` and `FORBID`.",
      resolve: ({ proposals }) => proposals,
    }),
    statuses: t.field({
      type: "JSON",
      description: "The same actions by their status now. A status that none has is left out.",
      resolve: ({ statuses }) => statuses,
    }),
    medianSecondsToDecide: t.float({
      nullable: true,
      description:
        "The median of the seconds from a proposal to a decision; null when nothing was decided, and where that was in several of the regions that were counted: pass `region`.",
      resolve: ({ medianSecondsToDecide }) => medianSecondsToDecide,
    }),
    decidedWithinFiveSeconds: t.float({
      nullable: true,
      description:
        "The share of decisions, from 0 to 1, that were made within five seconds after the action was first shown to who decided, or after it was proposed where that is not known; null when nothing was decided.",
      resolve: ({ decided: { considered, quick } }) => (considered === 0 ? null : quick / considered),
    }),
    openedBeforeDeciding: t.float({
      nullable: true,
      description:
        "The share of decisions, from 0 to 1, of which the entry says when the action was first shown to who decided, before they did; null when nothing was decided.",
      resolve: ({ decided: { decisions, opened } }) => (decisions === 0 ? null : opened / decisions),
    }),
    overrides: t.exposeInt("overrides", {
      description: "How often people stopped what was proposed: denials, and approvals that were taken back.",
    }),
    breakGlass: t.exposeInt("breakGlass", {
      description: "How often somebody approved alone, in an emergency, what would have needed more people.",
    }),
    load: t.field({
      type: [ApproverLoadRef],
      complexity: { field: 1, multiplier: MAX_APPROVERS },
      description: `What each person decided, who decided most first; at most ${MAX_APPROVERS} people.`,
      resolve: ({ load }) => [...load],
    }),
    separationOfDuties: t.field({
      type: SeparationOfDutiesRef,
      description: "Whether those who decided were allowed to.",
      resolve: ({ separationOfDuties }) => separationOfDuties,
    }),
    unmatchedRules: t.idList({
      description: "The rules of the active policy that matched in no proposal of the period, by their ids.",
      resolve: ({ unmatchedRules }) => [...unmatchedRules],
    }),
    asOf: t.field({
      type: [LedgerPosition],
      description: "Where the ledger of each region that was counted ended then.",
      resolve: ({ asOf }) => [...asOf],
    }),
    unreadRegions: t.stringList({
      description:
        "Regions that could not be counted: nothing of them is in the numbers, also not which rules matched.",
      resolve: ({ unreadRegions }) => [...unreadRegions],
    }),
  }),
});

/** Milliseconds that a region has: a statement takes no longer. */
const PATIENCE = 25_000;

async function countedIn(context: Context, period: Period) {
  const asOf = await readingAt(context);
  try {
    return { asOf, counted: await readOversight(context.db, context.ledger, period) };
  } catch (error) {
    // Not the fault of a region that there is too much of.
    if (classify(error) !== "timeout") throw error;
    throw graphqlError(
      "QUERY_TOO_COMPLEX",
      "The period has too many entries to be counted in time: ask for parts of it.",
    );
  }
}

async function oversightIn(
  context: Context,
  region: string | null | undefined,
  period: Period,
): Promise<OversightShape> {
  const problem = periodProblem(period);
  if (problem !== undefined) throw badUserInput(problem);
  const { parts, failures } = isOfAllRegions(context, region)
    ? await readRegions(context, (local) => countedIn(local, period), PATIENCE)
    : { parts: [await countedIn(context, period)], failures: new Map<string, unknown>() };
  const counted = mergeOversight(parts.map((part) => part.counted) as [Oversight, ...Oversight[]]);
  const rules = await context.services.actions.ruleIds(viewerOf(context));
  return {
    ...counted,
    unmatchedRules: rules.filter((id) => !counted.matchedRules.has(id)),
    asOf: parts.flatMap(({ asOf }) => asOf),
    unreadRegions: [...failures.keys()],
  };
}

builder.queryField("oversight", (t) =>
  t.field({
    type: OversightRef,
    description: `How people oversaw what was proposed and decided in a period of at most ${MAX_DAYS} days. A period with too many entries to be counted in time is refused with QUERY_TOO_COMPLEX: ask for parts of it.`,
    authScopes: { oversees: true },
    complexity: { field: 2_000, multiplier: 1 },
    args: {
      region: t.arg.string({ description: COUNTED_REGION }),
      from: t.arg({ type: "DateTime", required: true, description: "Recorded at this instant or later." }),
      to: t.arg({ type: "DateTime", required: true, description: "Recorded before this instant." }),
    },
    resolve: (_root, { region, from, to }, context) => oversightIn(context, region, { from, to }),
  }),
);
