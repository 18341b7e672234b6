import type { JsonValue } from "../../facts/canonical.ts";
import { builder } from "../base/builder.ts";
import { callerOf } from "../base/context.ts";
import { type Receipt, receiptPayload, receiptType } from "../ledger/receipt.ts";
import { DirectoryPrincipalRef, loadPrincipal } from "./directory.ts";

interface PrincipalChanged extends Receipt {
  readonly principalId?: string | undefined;
}

const PrincipalPayload = receiptType<PrincipalChanged>("PrincipalPayload", "What became of a change of the directory.");
builder.objectFields(PrincipalPayload, (t) => ({
  principal: t.field({
    type: DirectoryPrincipalRef,
    nullable: true,
    description: "The principal as the directory has it now.",
    resolve: async ({ principalId }, _args, context) =>
      principalId === undefined ? null : ((await loadPrincipal(context, principalId)) ?? null),
  }),
}));

const RevokeTokenPayload = receiptType<Receipt>("RevokeTokenPayload", "What became of a revocation.");

/** Null and left out mean the same. */
function given<T>(value: T | null | undefined): T | undefined {
  return value ?? undefined;
}

const KEY =
  "Its public key as a JSON Web Key, without private members. Its tokens must be bound to this key (RFC 9449); a gateway's key is what its statements are signed with.";

const InviteAgentInput = builder.inputType("InviteAgentInput", {
  description: "An agent to be registered.",
  fields: (t) => ({
    agentId: t.id({ required: true, description: "Its id, as its tokens name it." }),
    displayName: t.string({ required: true, description: "What people call it." }),
    ownerId: t.id({
      required: true,
      description:
        "The person who answers for it, and whom it acts for when its token names nobody. Known here already.",
    }),
    platforms: t.stringList({ description: "The only platforms it may act on; those of the catalog when left out." }),
    publicKey: t.field({ type: "JSON", description: KEY }),
    gateway: t.boolean({
      description:
        "Whether it is a gateway: the server then believes what it says about the clients whose calls it passes on, if signed with its key.",
    }),
  }),
});

builder.mutationField("inviteAgent", (t) =>
  t.field({
    type: PrincipalPayload,
    description: "Registers an agent. For administrators.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: InviteAgentInput, required: true, description: "Who is invited." }) },
    resolve: (_root, { input }, context): Promise<PrincipalChanged> => {
      const { agentId, displayName, ownerId } = input;
      const invitation = {
        agentId,
        displayName,
        ownerId,
        platforms: given(input.platforms),
        publicKey: given<JsonValue>(input.publicKey),
        gateway: given(input.gateway),
      };
      return receiptPayload(context, context.services.directory.inviteAgent(callerOf(context), invitation));
    },
  }),
);

const UpdateAgentInput = builder.inputType("UpdateAgentInput", {
  description: "What is to change about an agent that was invited. What is left out stays as it is.",
  fields: (t) => ({
    agentId: t.id({ required: true, description: "The agent." }),
    displayName: t.string({ description: "What people call it." }),
    ownerId: t.id({ description: "The person who answers for it." }),
    platforms: t.stringList({ description: "The only platforms it may act on; null: those of the catalog." }),
    publicKey: t.field({ type: "JSON", description: `${KEY} Null: none any more.` }),
    gateway: t.boolean({
      description:
        "Whether it is a gateway: the server then believes what it says about the clients whose calls it passes on, if signed with its key.",
    }),
  }),
});

builder.mutationField("updateAgent", (t) =>
  t.field({
    type: PrincipalPayload,
    description: "Changes what is registered of an agent. For administrators.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: UpdateAgentInput, required: true, description: "What is changed." }) },
    resolve: (_root, { input }, context): Promise<PrincipalChanged> => {
      // Null takes these two away, unlike leaving them out.
      const { agentId, platforms, publicKey } = input;
      const rest = {
        displayName: given(input.displayName),
        ownerId: given(input.ownerId),
        gateway: given(input.gateway),
      };
      const change = { agentId, platforms, publicKey, ...rest };
      return receiptPayload(context, context.services.directory.updateAgent(callerOf(context), change));
    },
  }),
);

const SuspendPrincipalInput = builder.inputType("SuspendPrincipalInput", {
  description: "Whom to keep out.",
  fields: (t) => ({
    principalId: t.id({ required: true, description: "The principal; one that never called can be suspended too." }),
    reason: t.string({ required: true, description: "Why; never blank." }),
  }),
});

builder.mutationField("suspendPrincipal", (t) =>
  t.field({
    type: PrincipalPayload,
    description:
      "Keeps a principal out, and the agents that act for it: on this server at once, on every other within seconds. Open sockets and streams end. For administrators.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: SuspendPrincipalInput, required: true, description: "Who is suspended." }) },
    resolve: (_root, { input }, context): Promise<PrincipalChanged> =>
      receiptPayload(context, context.services.directory.suspendPrincipal(callerOf(context), input)),
  }),
);

const ReinstatePrincipalInput = builder.inputType("ReinstatePrincipalInput", {
  description: "Whom to let in again.",
  fields: (t) => ({
    principalId: t.id({ required: true, description: "The principal." }),
    reason: t.string({ required: true, description: "Why; never blank." }),
  }),
});

builder.mutationField("reinstatePrincipal", (t) =>
  t.field({
    type: PrincipalPayload,
    description: "Lets a suspended principal in again. For administrators.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: ReinstatePrincipalInput, required: true, description: "Who is reinstated." }) },
    resolve: (_root, { input }, context): Promise<PrincipalChanged> =>
      receiptPayload(context, context.services.directory.reinstatePrincipal(callerOf(context), input)),
  }),
);

const SetPrincipalRolesInput = builder.inputType("SetPrincipalRolesInput", {
  description: "The roles a principal has from now on, on top of those its tokens claim.",
  fields: (t) => ({
    principalId: t.id({ required: true, description: "The principal." }),
    roles: t.stringList({
      required: true,
      description:
        "All of them: `member`, `approver`, `auditor`, `admin`, `lead:<team>`. An agent is `member` at most.",
    }),
  }),
});

builder.mutationField("setPrincipalRoles", (t) =>
  t.field({
    type: PrincipalPayload,
    description: "Gives a principal these roles and no others. For administrators.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: SetPrincipalRolesInput, required: true, description: "Who has which." }) },
    resolve: (_root, { input }, context): Promise<PrincipalChanged> =>
      receiptPayload(context, context.services.directory.setPrincipalRoles(callerOf(context), input)),
  }),
);

const RevokeTokenInput = builder.inputType("RevokeTokenInput", {
  description: "A token that is to be believed no more.",
  fields: (t) => ({
    issuer: t.string({ description: "Its `iss`; left out: whoever issued it." }),
    tokenId: t.id({ required: true, description: "Its `jti`." }),
    reason: t.string({ required: true, description: "Why; never blank." }),
  }),
});

builder.mutationField("revokeToken", (t) =>
  t.field({
    type: RevokeTokenPayload,
    description:
      "Refuses a token from now on: on this server at once, on every other within seconds. Open sockets and streams end. For administrators.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: RevokeTokenInput, required: true, description: "Which token." }) },
    resolve: (_root, { input }, context): Promise<Receipt> => {
      const { tokenId, reason } = input;
      const revocation = { tokenId, reason, issuer: given(input.issuer) };
      return receiptPayload(context, context.services.directory.revokeToken(callerOf(context), revocation));
    },
  }),
);

const ClaimAdministratorInput = builder.inputType("ClaimAdministratorInput", {
  description: "The one-time code of an organization that has no administrator.",
  fields: (t) => ({ code: t.string({ required: true, description: "As the server printed it." }) }),
});

builder.mutationField("claimAdministrator", (t) =>
  t.field({
    type: PrincipalPayload,
    description:
      "Makes you, a person, the first administrator of your organization. The code works once, for a day, and is void after ten wrong ones.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: ClaimAdministratorInput, required: true, description: "The code." }) },
    resolve: (_root, { input }, context): Promise<PrincipalChanged> =>
      receiptPayload(context, context.services.directory.claimAdministrator(callerOf(context), input)),
  }),
);
