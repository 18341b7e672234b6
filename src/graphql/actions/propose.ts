import { actionIdOf, keyReused } from "../../domain/actions/action-id.ts";
import type { ProposeInput, ProposeResult } from "../../domain/actions/actions.ts";
import { checkCount, MAX_ACTIONS } from "../../domain/actions/input.ts";
import { RegionRefusal } from "../../domain/regions/errors.ts";
import { Refusal } from "../../errors.ts";
import { LedgerUnavailableError } from "../../ledger/errors.ts";
import { builder } from "../base/builder.ts";
import { type Context, callerOf, inRegion, viewerOf } from "../base/context.ts";
import { present } from "../base/inputs.ts";
import { NIL_UUID, uuidOfNodeId } from "../base/node-id.ts";
import { orRefusal, payloadType, type UserErrorShape, userError } from "../base/payload.ts";
import { Grant, type GrantingPayload } from "./grant.ts";
import { actionPayload, actionPayloadType, outcomePayload } from "./payload.ts";
import { readAction, seesAction } from "./reads.ts";

/** The UUID of an action that the caller may see; for others a UUID of no action, so that they are NOT_FOUND. */
async function visibleId(context: Context, id: string): Promise<string> {
  const uuid = uuidOfNodeId("Action", context.ledger, id);
  const action = await readAction(context, uuid);
  return action !== null && seesAction(context, action) ? uuid : NIL_UUID;
}

const ProposeActionInput = builder.inputType("ProposeActionInput", {
  description:
    "An action to propose. The server itself determines the caller, the tool's effect and where the data came from.",
  fields: (t) => ({
    idempotencyKey: t.field({
      type: "UUID",
      required: true,
      description: "Chosen by the caller. Repeating a call with the same key and input returns the same action.",
    }),
    platform: t.string({ required: true, description: "The platform the tool belongs to, as the catalog names it." }),
    tool: t.string({ required: true, description: "The name of the tool, as the catalog names it on its platform." }),
    arguments: t.field({ type: "JSON", required: true, description: "The arguments to call the tool with." }),
    userRequest: t.string({
      description: "What the person asked the agent for, as the agent passed it on; null when it passed nothing on.",
    }),
    rationale: t.string({
      description: "The agent's reason for this step, in its own words; null when it gave none.",
    }),
    conversationId: t.string({
      description:
        "The conversation that the step belongs to. Consecutive steps of a conversation on one platform share a routing chain.",
    }),
    targetRegion: t.string({ description: "The region that data would be sent to." }),
    repeat: t.boolean({
      description:
        "True: meant although the same call of the same tool waits for approval in this conversation. Otherwise such a proposal is answered with the action that waits, and nothing is recorded. Default: false.",
    }),
    supersedes: t.id({
      description:
        "A pending action of the caller that this one replaces. It is cancelled after this one is recorded, unless this one is BLOCKED or the earlier one was decided meanwhile.",
    }),
  }),
});

type Proposed = typeof ProposeActionInput.$inferInput;

/** The actions of one batch that are proposed in one region, by their places. */
interface Part {
  readonly region: string;
  readonly places: number[];
}

/** How a proposal goes on: in a region, or as what was recorded or refused for its key before, elsewhere. */
type Route = { readonly region: string } | { readonly local: Context; readonly earlier: ProposeResult | Refusal };

function idOf(context: Context, { idempotencyKey }: Proposed): string {
  return actionIdOf(viewerOf(context), idempotencyKey);
}

/**
 * Where `input` is proposed: where its platform keeps its data. But what this server recorded with its key in another region is its result:
 * the catalog has changed since, or the caller named another platform.
 */
async function routeOf(context: Context, input: Proposed): Promise<Route> {
  const { regions, region: here } = context.services;
  if (regions === undefined) return { region: here };
  const region = await regions.regionOf(viewerOf(context).organization, input.platform);
  const before = regions.proposedIn(idOf(context, input));
  if (before === undefined || before === region) return { region };
  const local = inRegion(context, before);
  try {
    const earlier = await local.services.actions.repeated(callerOf(local), await proposalOf(local, input));
    return earlier === undefined ? { region } : { local, earlier };
  } catch (error) {
    if (error instanceof Refusal) return { local, earlier: error };
    throw error;
  }
}

/** What is proposed in each region, in order: what comes first may be a source of what follows; and results that are known already. */
async function partsOf(context: Context, inputs: readonly Proposed[], results: GrantingPayload[]): Promise<Part[]> {
  const parts: Part[] = [];
  const used = new Map<string, string>();
  for (const [place, input] of inputs.entries()) {
    const key = idOf(context, input);
    const route = await routeOf(context, input);
    if ("earlier" in route) {
      results[place] = outcomePayload(route.local, route.earlier, ["actions", `${place}`]);
      continue;
    }
    const { region } = route;
    if ((used.get(key) ?? region) !== region) {
      results[place] = outcomePayload(context, keyReused(), ["actions", `${place}`]);
      continue;
    }
    used.set(key, region);
    const last = parts.at(-1);
    if (last?.region === region) last.places.push(place);
    else parts.push({ region, places: [place] });
  }
  return parts;
}

/** `work`, which proposes in a region, with a note of what it recorded there, or may have. */
async function noting<Result>(
  { services }: Context,
  region: string,
  ids: readonly string[],
  work: Promise<Result>,
): Promise<Result> {
  const note = () => {
    for (const id of ids) services.regions?.noteProposed(id, region);
  };
  try {
    const result = await work;
    note();
    return result;
  } catch (error) {
    if (error instanceof LedgerUnavailableError && error.outcome === "UNKNOWN") note();
    throw error;
  }
}

/** What the domain is to propose. */
async function proposalOf(context: Context, input: Proposed): Promise<ProposeInput> {
  const { supersedes, arguments: values, ...rest } = input;
  const alone = supersedes === undefined || supersedes === null;
  const replaced = alone ? {} : { supersedes: await visibleId(context, supersedes) };
  // JSON null is a value here, unlike in the other members.
  return { ...present(rest), arguments: values ?? null, ...replaced };
}

async function proposeIn(context: Context, input: Proposed): Promise<GrantingPayload> {
  const proposal = await proposalOf(context, input);
  return actionPayload(context, context.services.actions.propose(callerOf(context), proposal));
}

const ProposeActionPayload = actionPayloadType<GrantingPayload>(
  "ProposeActionPayload",
  "The result of `proposeAction`.",
);
builder.objectField(ProposeActionPayload, "grant", (t) =>
  t.field({
    type: Grant,
    nullable: true,
    description:
      "The grant when the policy permits the action; null otherwise (call `claimGrant` once it is approved).",
    resolve: ({ grant }) => grant,
  }),
);

builder.mutationField("proposeAction", (t) =>
  t.field({
    type: ProposeActionPayload,
    description: "Proposes an action. The policy permits it, forbids it, or requires approvals.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: ProposeActionInput, required: true, description: "The action to propose." }) },
    resolve: async (_root, { input }, context): Promise<GrantingPayload> => {
      if (context.services.regions === undefined) return proposeIn(context, input);
      const propose = async () => {
        const route = await routeOf(context, input);
        if ("earlier" in route) return outcomePayload(route.local, route.earlier, []);
        const { region } = route;
        return noting(context, region, [idOf(context, input)], proposeIn(inRegion(context, region), input));
      };
      return orRefusal(context, propose(), (refusal) => ({ userErrors: [userError(refusal, ["platform"])] }));
    },
  }),
);

const ProposeActionsInput = builder.inputType("ProposeActionsInput", {
  description: "Actions to propose together.",
  fields: (t) => ({
    actions: t.field({
      type: [ProposeActionInput],
      required: true,
      description: `The actions, at most ${MAX_ACTIONS}. A step may build on those before it, as if each were proposed by itself.`,
    }),
  }),
});

interface BatchPayload {
  readonly results: readonly GrantingPayload[];
  readonly userErrors: readonly UserErrorShape[];
}

const ProposeActionsPayload = payloadType<BatchPayload>("ProposeActionsPayload", "The result of `proposeActions`.");
builder.objectField(ProposeActionsPayload, "results", (t) =>
  t.field({
    type: [ProposeActionPayload],
    complexity: { field: 1, multiplier: 1 },
    description:
      "The result of each action, in the order of the input; empty when the whole batch was refused. An action that was refused has `userErrors`, and does not prevent the others.",
    resolve: ({ results }) => [...results],
  }),
);

/** What a batch costs: as much as its actions would cost each by itself. One that is refused for its length costs nothing. */
function batchComplexity({ input }: { readonly input: { readonly actions: readonly unknown[] } }) {
  const { length } = input.actions;
  return { field: 1, multiplier: length > MAX_ACTIONS ? 1 : Math.max(1, length) };
}

builder.mutationField("proposeActions", (t) =>
  t.field({
    type: ProposeActionsPayload,
    description:
      "Proposes several actions in one call and records them in one transaction. Each is permitted, refused or repeated by itself, as by `proposeAction`. When the call fails, repeat it with the same keys: what was recorded is returned, and the rest is recorded.",
    authScopes: { signedIn: true },
    complexity: batchComplexity,
    args: { input: t.arg({ type: ProposeActionsInput, required: true, description: "The actions to propose." }) },
    resolve: (_root, { input }, context): Promise<BatchPayload> =>
      orRefusal(context, proposeAll(context, input.actions), (refusal) => ({
        results: [],
        userErrors: [userError(refusal)],
      })),
  }),
);

async function proposeAll(context: Context, inputs: readonly Proposed[]): Promise<BatchPayload> {
  // Before anything is looked up for any of them.
  checkCount(inputs.length);
  const results = new Array<GrantingPayload>(inputs.length);
  let recorded = false;
  for (const { region, places } of await partsOf(context, inputs, results)) {
    try {
      const local = inRegion(context, region);
      const proposals = await Promise.all(places.map((place) => proposalOf(local, inputs[place] as Proposed)));
      const ids = places.map((place) => idOf(context, inputs[place] as Proposed));
      const proposing = local.services.actions.proposeTogether(callerOf(local), proposals);
      const outcomes = await noting(context, region, ids, proposing);
      for (const [n, place] of places.entries()) {
        const outcome = outcomes[n];
        if (outcome !== undefined) results[place] = outcomePayload(local, outcome, ["actions", `${place}`]);
      }
      recorded = true;
    } catch (error) {
      if (error instanceof RegionRefusal) {
        for (const place of places) {
          results[place] = outcomePayload(context, error, ["actions", `${place}`, "platform"]);
        }
      } else if (recorded && error instanceof LedgerUnavailableError) {
        const message = `some of the actions are recorded, and others are not: ${error.message}; repeat the call`;
        throw new LedgerUnavailableError(message, error.retryAfterSeconds, error, "UNKNOWN");
      } else throw error;
    }
  }
  return { results, userErrors: [] };
}
