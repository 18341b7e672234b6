import type { RuleExplanation } from "../../domain/policy/rules.ts";
import {
  DEFAULT_DAYS,
  MAX_DAYS,
  MAX_SIMULATED,
  type SimulatedChange,
  type Simulation,
} from "../../domain/publishing/simulate.ts";
import { ActionRef } from "../actions/action.ts";
import { documentError, RuleExplanationRef } from "../actions/policy.ts";
import { readAction } from "../actions/reads.ts";
import { builder } from "../base/builder.ts";
import { readApart, viewerOf } from "../base/context.ts";
import { PolicyOutcome } from "../base/enums.ts";
import { badUserInput } from "../base/errors.ts";
import { AFTER, decodeCursor, encodeCursor, FIRST, pageComplexity, pageSize } from "../base/page.ts";
import { REGION } from "../base/regions.ts";

interface ChangeShape extends SimulatedChange {
  readonly explanation: readonly RuleExplanation[];
}

const SimulatedChangeRef = builder.objectRef<ChangeShape>("SimulatedChange").implement({
  description: "An action that the document would have led to something else: another outcome, or other approvals.",
  fields: (t) => ({
    cursor: t.string({
      description: "What `after` of `PolicySimulation.changes` continues behind.",
      resolve: ({ seq }) => encodeCursor(seq),
    }),
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

const PolicySimulation = builder.objectRef<Simulation>("PolicySimulation").implement({
  description: "What a policy document would have changed.",
  fields: (t) => ({
    actions: t.exposeInt("actions", {
      description: "How many actions were evaluated. Those whose arguments were erased are not among them.",
    }),
    complete: t.boolean({
      description: `Whether these are all of the period: at most the latest ${MAX_SIMULATED} proposals are evaluated, and fewer where their arguments are large.`,
      resolve: ({ stoppedAt }) => stoppedAt === undefined,
    }),
    stoppedAt: t.field({
      type: "DateTime",
      nullable: true,
      description: "When the earliest proposal that was evaluated was recorded; null where `complete` is true.",
      resolve: ({ stoppedAt }) => stoppedAt,
    }),
    changed: t.int({ description: "How many of them would change.", resolve: ({ changes }) => changes.length }),
    changes: t.field({
      type: [SimulatedChangeRef],
      description: "Those that would change, the latest proposal first.",
      complexity: pageComplexity,
      args: { first: t.arg.int({ description: FIRST }), after: t.arg.string({ description: AFTER }) },
      async resolve(simulation, args) {
        const size = pageSize(args);
        const after = decodeCursor(args);
        const behind = simulation.changes.filter(({ seq }) => after === undefined || seq < after);
        const page = behind.slice(0, size);
        const explained = page.length === 0 ? [] : await simulation.explain(page);
        return page.map((change, at) => ({ ...change, explanation: explained[at] ?? [] }));
      },
    }),
  }),
});

builder.queryField("simulatePolicy", (t) =>
  t.field({
    type: PolicySimulation,
    description:
      "Evaluates the document for what was proposed in the last days, as it was then, and lists what would change. Nothing is recorded. Documents of one organization are evaluated one at a time, each for at most ten seconds.",
    authScopes: { readsLedger: true },
    // Each can keep a processor busy for long.
    complexity: { field: 2_000, multiplier: 1 },
    args: {
      region: t.arg.string({ description: REGION }),
      document: t.arg.string({ required: true, description: "A policy document in YAML or JSON." }),
      days: t.arg.int({ description: `The period, from 1 to ${MAX_DAYS} days. Default: ${DEFAULT_DAYS}.` }),
    },
    async resolve(_root, { document, days }, context) {
      const period = days ?? DEFAULT_DAYS;
      if (period < 1 || period > MAX_DAYS) throw badUserInput(`\`days\` is from 1 to ${MAX_DAYS}.`);
      try {
        const { ledger, services } = context;
        const input = { ledger, by: viewerOf(context), document, days: period };
        return await services.simulatePolicy((work) => readApart(context, work), input);
      } catch (error) {
        throw documentError(error);
      }
    },
  }),
);
