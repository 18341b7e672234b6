import type { POLICY_STATES, PolicyVersion } from "../../domain/publishing/versions.ts";
import { readsOrganization } from "../../domain/visibility/visibility.ts";
import { readAction } from "../actions/reads.ts";
import { type ActionNode, viewOf } from "../actions/rows.ts";
import { builder } from "../base/builder.ts";
import { type Context, viewerOf } from "../base/context.ts";
import { addNode } from "../base/node.ts";
import { uuidOfNodeId } from "../base/node-id.ts";
import { AFTER, decodeCursor, FIRST, pageComplexity, pageOf, pageSize } from "../base/page.ts";
import { readingAt } from "../base/position.ts";
import { entryOf } from "../base/rows.ts";
import { PrincipalRef, recordedActor } from "../directory/principal.ts";
import { readPositions } from "../ledger/reads.ts";

const PolicyState = builder.enumType("PolicyState", {
  description: "Where a version of the policy stands.",
  values: {
    PROPOSED: { description: "An administrator has yet to approve it." },
    ACTIVE: { description: "It is in force." },
    SHADOW: { description: "It is evaluated beside the one in force, and decides nothing." },
    RETIRED: { description: "It was in force, or evaluated beside the one in force, until another was published." },
    REJECTED: { description: "It was denied, withdrawn, or not approved in time." },
  } as const satisfies Record<(typeof POLICY_STATES)[number], object>,
});

/** The key of the policy that servers start with, in node ids. */
const STARTER = "starter";

export const PolicyVersionRef = builder.objectRef<PolicyVersion>("PolicyVersion");
builder.node(PolicyVersionRef, {
  description: "A policy document of the organization.",
  id: {
    description: "An opaque id for `node`.",
    resolve: ({ action }, _args, { ledger }) => `${ledger}:${action?.state.id ?? STARTER}`,
  },
  fields: (t) => ({
    ledger: t.string({
      description: "The ledger that has it, `<organization>/<region>`.",
      resolve: (_version, _args, { ledger }) => ledger,
    }),
    version: t.exposeInt("version", {
      description: "Its number. Two that were proposed at once have the same; one of them at most is ever published.",
    }),
    hash: t.field({
      type: "Hash",
      description: "SHA-256 of the RFC 8785 form of the value that the document has.",
      resolve: ({ hash }) => hash,
    }),
    state: t.field({ type: PolicyState, description: "Where it stands.", resolve: ({ state }) => state }),
    document: t.exposeString("document", { description: "The document as it was sent, in YAML or JSON." }),
    publishedBy: t.field({
      type: PrincipalRef,
      nullable: true,
      description: "Who proposed it; null for the policy that servers start with.",
      resolve: ({ action }) => (action === undefined ? null : recordedActor(action.proposal)),
    }),
    activatedAt: t.field({
      type: "DateTime",
      nullable: true,
      description:
        "When it was approved, and carried out; null before that, and for the policy that servers start with.",
      async resolve({ action }, _args, context) {
        if (action?.state.status !== "SUCCEEDED") return null;
        const [last] = await readPositions(context, [action.state.updatedSeq]);
        return last === undefined ? null : entryOf(last).recordedAt;
      },
    }),
  }),
});

/** What `action` proposes, if it is a version of the policy. */
export function versionIn(context: Context, action: ActionNode): PolicyVersion | undefined {
  return context.services.policyVersions.of(viewOf(action), viewerOf(context).organization);
}

addNode("PolicyVersion", async (context, nodeId, key) => {
  const viewer = viewerOf(context);
  if (!readsOrganization(viewer)) return null;
  if (key === STARTER) return context.services.policyVersions.first(viewer.organization);
  const action = await readAction(context, uuidOfNodeId("PolicyVersion", context.ledger, nodeId));
  return (action && versionIn(context, action)) ?? null;
});

builder.queryField("policy", (t) =>
  t.field({
    type: PolicyVersionRef,
    description: "The version of the policy that is in force.",
    authScopes: { readsLedger: true },
    complexity: { field: 100, multiplier: 1 },
    resolve: (_root, _args, context) =>
      context.services.policyVersions.active(context.db, context.ledger, viewerOf(context).organization),
  }),
);

const PolicyVersionConnection = builder.connectionObject(
  { type: PolicyVersionRef, name: "PolicyVersionConnection", description: "A page of versions of the policy." },
  { name: "PolicyVersionEdge", description: "A version of the policy, with its cursor." },
);

builder.queryField("policyVersions", (t) =>
  t.field({
    type: PolicyVersionConnection,
    description: "Versions of the policy, those that were never published included, the latest proposal first.",
    authScopes: { readsLedger: true },
    complexity: pageComplexity,
    args: { first: t.arg.int({ description: FIRST }), after: t.arg.string({ description: AFTER }) },
    async resolve(_root, args, context) {
      const size = pageSize(args);
      const after = decodeCursor(args);
      const asOf = await readingAt(context);
      const { db, ledger, services } = context;
      const page = { before: after, limit: size + 1 };
      const found = await services.policyVersions.list(db, ledger, viewerOf(context).organization, page);
      const { versions: nodes, stoppedAt } = found;
      return pageOf({ nodes, size, after, asOf, positionOf: ({ position }) => position, stoppedAt });
    },
  }),
);
