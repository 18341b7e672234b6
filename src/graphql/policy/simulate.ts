import type { RuleExplanation } from "../../domain/policy/rules.ts";
import {
  DEFAULT_DAYS,
  MAX_DAYS,
  MAX_SIMULATED,
  type SimulatedChange,
  type Simulation,
} from "../../domain/publishing/simulate.ts";
import type { LedgerId } from "../../facts/entry.ts";
import { ActionRef } from "../actions/action.ts";
import { documentError, RuleExplanationRef } from "../actions/policy.ts";
import { readAction } from "../actions/reads.ts";
import { decodePositions, encodePositions, isOfAllRegions, readRegions } from "../base/across-regions/merged.ts";
import { builder } from "../base/builder.ts";
import { type Context, readApart, viewerOf } from "../base/context.ts";
import { PolicyOutcome } from "../base/enums.ts";
import { badUserInput } from "../base/errors.ts";
import {
  AFTER,
  decodeCursor,
  encodeCursor,
  FIRST,
  type PageArguments,
  pageComplexity,
  pageSize,
} from "../base/page.ts";
import { COUNTED_REGION } from "../base/regions.ts";

/** A change in the ledger of one region, whose context its fields are resolved in. */
interface ChangeShape extends SimulatedChange {
  readonly ledger: LedgerId;
  readonly cursor: string;
  readonly explanation: readonly RuleExplanation[];
}

/** What was simulated in one region. */
interface Part {
  readonly ledger: LedgerId;
  readonly region: string;
  readonly simulation: Simulation;
}

interface SimulationShape {
  /** One alone: of the ledger whose positions cursors are. Else cursors have one for each region. */
  readonly isMerged: boolean;
  readonly parts: readonly Part[];
  readonly unreadRegions: readonly string[];
}

const SimulatedChangeRef = builder.objectRef<ChangeShape>("SimulatedChange").implement({
  description: "An action that the document would have led to something else: another outcome, or other approvals.",
  fields: (t) => ({
    cursor: t.exposeString("cursor", { description: "What `after` of `PolicySimulation.changes` continues behind." }),
    action: t.field({
      type: ActionRef,
      description: "The action as it is now.",
      async resolve({ seq, action: id }, _args, context) {
        const action = await readAction(context, id);
        if (action === null) throw new Error(`the action of entry ${seq} has no row`);
        return action;
      },
    }),
    before: t.field({
      type: PolicyOutcome,
      description: "The outcome when it was proposed.",
      resolve: ({ before }) => before,
    }),
    after: t.field({
      type: PolicyOutcome,
      description: "The outcome by the document.",
      resolve: ({ after }) => after,
    }),
    explanation: t.field({
      type: [RuleExplanationRef],
      description: "What each rule of the document says of it.",
      resolve: ({ explanation }) => [...explanation],
    }),
  }),
});

/** A page of the changes of all parts, the latest proposal first. */
async function changesOf({ isMerged, parts }: SimulationShape, args: PageArguments): Promise<readonly ChangeShape[]> {
  const size = pageSize(args);
  const positions = new Map(isMerged ? decodePositions(args.after) : []);
  const after = isMerged ? undefined : decodeCursor(args);
  const behind = parts.flatMap((part) => {
    const last = after ?? positions.get(part.region);
    const { changes } = part.simulation;
    return changes.filter(({ seq }) => last === undefined || seq < last).map((change) => ({ part, change }));
  });
  // Those of one ledger stay in its order.
  behind.sort(({ change: { recordedAt: one } }, { change: { recordedAt: other } }) =>
    one === other ? 0 : one < other ? 1 : -1,
  );
  const page = behind.slice(0, size);
  const explained = new Map<SimulatedChange, readonly RuleExplanation[]>();
  for (const [{ simulation }, own] of Map.groupBy(page, ({ part }) => part)) {
    const changes = own.map(({ change }) => change);
    for (const [at, explanation] of (await simulation.explain(changes)).entries()) {
      const change = changes[at];
      if (change !== undefined) explained.set(change, explanation);
    }
  }
  return page.map(({ part: { ledger, region }, change }) => {
    positions.set(region, change.seq);
    const cursor = isMerged ? encodePositions(positions) : encodeCursor(change.seq);
    return { ...change, ledger, cursor, explanation: explained.get(change) ?? [] };
  });
}

const PolicySimulation = builder.objectRef<SimulationShape>("PolicySimulation").implement({
  description: "What a policy document would have changed.",
  fields: (t) => ({
    actions: t.int({
      description: "How many actions were evaluated. Those whose arguments were erased are not among them.",
      resolve: ({ parts }) => parts.reduce((sum, { simulation }) => sum + simulation.actions, 0),
    }),
    complete: t.boolean({
      description: `Whether these are all of the period in each region that was read: at most the latest ${MAX_SIMULATED} proposals of one are evaluated, and fewer where their arguments are large.`,
      resolve: ({ parts }) => parts.every(({ simulation }) => simulation.stoppedAt === undefined),
    }),
    stoppedAt: t.field({
      type: "DateTime",
      nullable: true,
      description:
        "When the earliest proposal was recorded behind which all were evaluated; null where `complete` is true.",
      resolve: ({ parts }) =>
        parts
          .flatMap(({ simulation }) => simulation.stoppedAt ?? [])
          .sort()
          .at(-1),
    }),
    changed: t.int({
      description: "How many of them would change.",
      resolve: ({ parts }) => parts.reduce((sum, { simulation }) => sum + simulation.changes.length, 0),
    }),
    changes: t.field({
      type: [SimulatedChangeRef],
      description: "Those that would change, the latest proposal first.",
      complexity: pageComplexity,
      args: { first: t.arg.int({ description: FIRST }), after: t.arg.string({ description: AFTER }) },
      resolve: async (simulation, args) => [...(await changesOf(simulation, args))],
    }),
    unreadRegions: t.stringList({
      description: "Regions that could not be read: what was proposed there is not evaluated.",
      resolve: ({ unreadRegions }) => [...unreadRegions],
    }),
  }),
});

/** Milliseconds that a region has: for a turn, for reading, and for evaluating. */
const PATIENCE = 25_000;

async function simulatedIn(context: Context, document: string, days: number): Promise<Part> {
  try {
    const { ledger, services } = context;
    const input = { ledger, by: viewerOf(context), document, days };
    const simulation = await services.simulatePolicy((work) => readApart(context, work), input);
    return { ledger, region: services.region, simulation };
  } catch (error) {
    throw documentError(error);
  }
}

builder.queryField("simulatePolicy", (t) =>
  t.field({
    type: PolicySimulation,
    description:
      "Evaluates the document for what was proposed in the last days, as it was then, and lists what would change. Nothing is recorded. Documents of one organization are evaluated one at a time, each for at most ten seconds.",
    authScopes: { readsLedger: true },
    // Each can keep a processor busy for long.
    complexity: { field: 2_000, multiplier: 1 },
    args: {
      region: t.arg.string({ description: COUNTED_REGION }),
      document: t.arg.string({ required: true, description: "A policy document in YAML or JSON." }),
      days: t.arg.int({ description: `The period, from 1 to ${MAX_DAYS} days. Default: ${DEFAULT_DAYS}.` }),
    },
    async resolve(_root, { region, document, days }, context): Promise<SimulationShape> {
      const period = days ?? DEFAULT_DAYS;
      if (period < 1 || period > MAX_DAYS) throw badUserInput(`\`days\` is from 1 to ${MAX_DAYS}.`);
      if (!isOfAllRegions(context, region)) {
        return { isMerged: false, parts: [await simulatedIn(context, document, period)], unreadRegions: [] };
      }
      const simulate = (local: Context) => simulatedIn(local, document, period);
      const { parts, failures } = await readRegions(context, simulate, PATIENCE);
      return { isMerged: true, parts, unreadRegions: [...failures.keys()] };
    },
  }),
);
