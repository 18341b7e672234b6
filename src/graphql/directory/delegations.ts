import { MAX_LISTED } from "../../domain/directory/delegations.ts";
import type { Delegation } from "../../domain/directory/record.ts";
import { MAX_DELEGATION_DAYS } from "../../facts/areas/delegations.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import { builder } from "../base/builder.ts";
import { type Context, callerOf, viewerOf } from "../base/context.ts";
import { addNode } from "../base/node.ts";
import { uuidOfNodeId } from "../base/node-id.ts";
import { type Receipt, receiptPayload, receiptType } from "../ledger/receipt.ts";
import { loadPrincipal } from "./directory.ts";
import { PrincipalRef, type PrincipalShape } from "./principal.ts";

interface DelegationShape {
  readonly ledger: string;
  readonly delegation: Delegation;
}

/** The person as the directory has them; only their id where the caller may not see them there. */
async function person(context: Context, id: string): Promise<PrincipalShape> {
  const known = await loadPrincipal(context, id);
  return known?.principal ?? { id, kind: "HUMAN", roles: [], groups: [] };
}

export const DelegationRef = builder.objectRef<DelegationShape>("Delegation");
builder.node(DelegationRef, {
  description: "The right of a person to approve as a member of a group, lent to another person for a while.",
  id: { resolve: ({ ledger, delegation }) => `${ledger}:${delegation.id}` },
  fields: (t) => ({
    delegator: t.field({
      type: PrincipalRef,
      description: "Who lends it. Only the id, where you may not see them in the directory.",
      resolve: ({ delegation }, _args, context) => person(context, delegation.delegator),
    }),
    delegate: t.field({
      type: PrincipalRef,
      description: "The person it is lent to. Only the id, where you may not see them in the directory.",
      resolve: ({ delegation }, _args, context) => person(context, delegation.delegate),
    }),
    group: t.string({
      description: "The group as a member of which the delegate may approve.",
      resolve: ({ delegation }) => delegation.group,
    }),
    startsAt: t.field({
      type: "DateTime",
      description: "From when on it can be used.",
      resolve: ({ delegation }) => delegation.startsAt,
    }),
    endsAt: t.field({
      type: "DateTime",
      description: "When it can be used no more, unless it is ended before.",
      resolve: ({ delegation }) => delegation.expiresAt,
    }),
    ended: t.boolean({
      description: "Whether somebody ended it before its time.",
      resolve: ({ delegation }) => delegation.status === "ENDED",
    }),
  }),
});

addNode("Delegation", async (context, _nodeId, key) => {
  const delegation = await context.services.directory.delegation(viewerOf(context), key);
  return delegation === undefined ? null : { ledger: context.ledger, delegation };
});

builder.queryField("delegations", (t) =>
  t.field({
    type: [DelegationRef],
    complexity: { field: 1, multiplier: 20 },
    description: `Delegations that are neither ended nor over, those that end first first, at most ${MAX_LISTED}: those that you made or were made to you, and all for administrators and auditors.`,
    authScopes: { signedIn: true },
    resolve: async (_root, _args, context) =>
      (await context.services.directory.delegations(viewerOf(context))).map((delegation) => ({
        ledger: context.ledger,
        delegation,
      })),
  }),
);

interface DelegationChanged extends Receipt {
  readonly delegation?: Delegation | undefined;
}

const DelegationPayload = receiptType<DelegationChanged>(
  "DelegationPayload",
  "The result of a change of a delegation.",
);
builder.objectField(DelegationPayload, "delegation", (t) =>
  t.field({
    type: DelegationRef,
    nullable: true,
    description: "The delegation as it is now; null when there is none that you may see.",
    resolve: ({ delegation }, _args, { ledger }) => (delegation === undefined ? null : { ledger, delegation }),
  }),
);

function changed(
  context: Context,
  work: Promise<{ readonly delegation: Delegation; readonly entry: LedgerEntry }>,
): Promise<DelegationChanged> {
  return receiptPayload(context, work);
}

const DelegateApprovalsInput = builder.inputType("DelegateApprovalsInput", {
  description: "A right to lend.",
  fields: (t) => ({
    toPrincipalId: t.id({ required: true, description: "The person to lend it to." }),
    group: t.string({
      required: true,
      description: "A group of yours. It is lent to approve what that group is asked.",
    }),
    startsAt: t.field({ type: "DateTime", description: "From when on. Default: now." }),
    endsAt: t.field({
      type: "DateTime",
      required: true,
      description: `Until when: at most ${MAX_DELEGATION_DAYS} days after the beginning.`,
    }),
    note: t.string({ description: "The reason, recorded with it." }),
  }),
});

builder.mutationField("delegateApprovals", (t) =>
  t.field({
    type: DelegationPayload,
    description:
      "Lends your right to approve as a member of a group to another person for a while. They decide in your stead, once for both of you, and never on what you or they asked for. They cannot lend it on. It is void once one of you is suspended, and cannot be used while you are not in the group as of your latest call.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: DelegateApprovalsInput, required: true, description: "What to lend, and to whom." }) },
    resolve: (_root, { input }, context) => {
      const { toPrincipalId, group, startsAt, endsAt, note } = input;
      return changed(
        context,
        context.services.directory.delegateApprovals(callerOf(context), {
          toPrincipalId,
          group,
          startsAt: typeof startsAt === "string" ? new Date(startsAt) : undefined,
          endsAt: new Date(endsAt),
          note: note ?? undefined,
        }),
      );
    },
  }),
);

const EndDelegationInput = builder.inputType("EndDelegationInput", {
  description: "A delegation to end.",
  fields: (t) => ({ delegationId: t.id({ required: true, description: "The delegation." }) }),
});

builder.mutationField("endDelegation", (t) =>
  t.field({
    type: DelegationPayload,
    description: "Ends a delegation before its time. For who made it, and administrators.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: EndDelegationInput, required: true, description: "What to end." }) },
    resolve: async (_root, { input }, context) => {
      const { directory } = context.services;
      const id = uuidOfNodeId("Delegation", context.ledger, input.delegationId);
      const payload = await changed(context, directory.endDelegation(callerOf(context), id));
      if (payload.delegation !== undefined) return payload;
      return { ...payload, delegation: await directory.delegation(viewerOf(context), id) };
    },
  }),
);
