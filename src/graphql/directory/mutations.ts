import type { JsonValue } from "../../facts/canonical.ts";
import { builder } from "../base/builder.ts";
import { callerOf } from "../base/context.ts";
import { type Receipt, receiptPayload, receiptType } from "../ledger/receipt.ts";
import { DirectoryPrincipalRef, loadPrincipal } from "./directory.ts";

interface PrincipalChanged extends Receipt {
  readonly principalId?: string | undefined;
}

const PrincipalPayload = receiptType<PrincipalChanged>("PrincipalPayload", "The result of a change of the directory.");
builder.objectFields(PrincipalPayload, (t) => ({
  principal: t.field({
    type: DirectoryPrincipalRef,
    nullable: true,
    description: "The principal in its current state; null when the change was refused.",
    resolve: async ({ principalId }, _args, context) =>
      principalId === undefined ? null : ((await loadPrincipal(context, principalId)) ?? null),
  }),
}));

const RevokeTokenPayload = receiptType<Receipt>("RevokeTokenPayload", "The result of `revokeToken`.");

/** Null and undefined mean the same. */
function given<T>(value: T | null | undefined): T | undefined {
  return value ?? undefined;
}

const KEY =
  "Its public key as a JSON Web Key without private members. An agent's tokens must be bound to it (DPoP, RFC 9449); a gateway signs its statements with it.";

const InviteAgentInput = builder.inputType("InviteAgentInput", {
  description: "An agent to register.",
  fields: (t) => ({
    agentId: t.id({ required: true, description: "Its id, as its tokens name it." }),
    displayName: t.string({ required: true, description: "Its name for people." }),
    ownerId: t.id({
      required: true,
      description:
        "The person responsible for it, for whom it acts when its token names nobody. Must be in the directory.",
    }),
    platforms: t.stringList({ description: "The platforms it may act on, of the catalog. Default: all of them." }),
    publicKey: t.field({ type: "JSON", description: KEY }),
    gateway: t.boolean({
      description:
        "Whether it is a gateway: a proxy that signs statements about the client behind each call it forwards. The server then accepts those signed with `publicKey`.",
    }),
  }),
});

builder.mutationField("inviteAgent", (t) =>
  t.field({
    type: PrincipalPayload,
    description: "Registers an agent. For administrators.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: InviteAgentInput, required: true, description: "The agent to register." }) },
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
  description: "Changes of the registration of an agent. An omitted member is left unchanged.",
  fields: (t) => ({
    agentId: t.id({ required: true, description: "The agent." }),
    displayName: t.string({ description: "Its name for people." }),
    ownerId: t.id({ description: "The person responsible for it." }),
    platforms: t.stringList({
      description: "The platforms it may act on: of the catalog, or of those it has; null: all of the catalog.",
    }),
    publicKey: t.field({ type: "JSON", description: `${KEY} Null removes the key.` }),
    gateway: t.boolean({
      description:
        "Whether it is a gateway: a proxy that signs statements about the client behind each call it forwards. The server then accepts those signed with `publicKey`.",
    }),
  }),
});

builder.mutationField("updateAgent", (t) =>
  t.field({
    type: PrincipalPayload,
    description: "Changes the registration of an agent. For administrators.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: UpdateAgentInput, required: true, description: "The agent and the changes." }) },
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
  description: "A principal to suspend.",
  fields: (t) => ({
    principalId: t.id({ required: true, description: "The id of the principal, which need not have called before." }),
    reason: t.string({ required: true, description: "The reason; must not be blank." }),
  }),
});

builder.mutationField("suspendPrincipal", (t) =>
  t.field({
    type: PrincipalPayload,
    description:
      "Refuses calls of a principal and of agents that act for it: on this server immediately, on others within seconds. Their open connections are closed. What they approved and nobody started is DENIED. For administrators.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: SuspendPrincipalInput, required: true, description: "The principal to suspend." }) },
    resolve: (_root, { input }, context): Promise<PrincipalChanged> =>
      receiptPayload(context, context.services.directory.suspendPrincipal(callerOf(context), input)),
  }),
);

const ReinstatePrincipalInput = builder.inputType("ReinstatePrincipalInput", {
  description: "A suspended principal to reinstate.",
  fields: (t) => ({
    principalId: t.id({ required: true, description: "The principal." }),
    reason: t.string({ required: true, description: "The reason; must not be blank." }),
  }),
});

builder.mutationField("reinstatePrincipal", (t) =>
  t.field({
    type: PrincipalPayload,
    description: "Accepts calls of a suspended principal again. For administrators.",
    authScopes: { signedIn: true },
    args: {
      input: t.arg({ type: ReinstatePrincipalInput, required: true, description: "The principal to reinstate." }),
    },
    resolve: (_root, { input }, context): Promise<PrincipalChanged> =>
      receiptPayload(context, context.services.directory.reinstatePrincipal(callerOf(context), input)),
  }),
);

const SetPrincipalRolesInput = builder.inputType("SetPrincipalRolesInput", {
  description: "The new roles of a principal. Roles that its tokens claim are added to these.",
  fields: (t) => ({
    principalId: t.id({ required: true, description: "The principal." }),
    roles: t.stringList({
      required: true,
      description:
        "The complete list, of `member`, `approver`, `auditor`, `admin`, `break-glass`, `lead:<team>` and `region:<region>`. Who has any of the latter reads and works in these regions alone. An agent can only have `member` and the latter.",
    }),
  }),
});

builder.mutationField("setPrincipalRoles", (t) =>
  t.field({
    type: PrincipalPayload,
    description: "Replaces the roles of a principal. For administrators.",
    authScopes: { signedIn: true },
    args: {
      input: t.arg({ type: SetPrincipalRolesInput, required: true, description: "The principal and its roles." }),
    },
    resolve: (_root, { input }, context): Promise<PrincipalChanged> =>
      receiptPayload(context, context.services.directory.setPrincipalRoles(callerOf(context), input)),
  }),
);

const RevokeTokenInput = builder.inputType("RevokeTokenInput", {
  description: "A token to revoke.",
  fields: (t) => ({
    issuer: t.string({ description: "The `iss` claim of the token. Default: any issuer." }),
    tokenId: t.id({ required: true, description: "The `jti` claim of the token." }),
    reason: t.string({ required: true, description: "The reason; must not be blank." }),
  }),
});

builder.mutationField("revokeToken", (t) =>
  t.field({
    type: RevokeTokenPayload,
    description:
      "Revokes a token: on this server immediately, on others within seconds. Its open connections are closed. For administrators.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: RevokeTokenInput, required: true, description: "The token to revoke." }) },
    resolve: (_root, { input }, context): Promise<Receipt> => {
      const { tokenId, reason } = input;
      const revocation = { tokenId, reason, issuer: given(input.issuer) };
      return receiptPayload(context, context.services.directory.revokeToken(callerOf(context), revocation));
    },
  }),
);

const ClaimAdministratorInput = builder.inputType("ClaimAdministratorInput", {
  description: "The setup code of an organization without an administrator.",
  fields: (t) => ({
    code: t.string({ required: true, description: "The code that the server printed when it started." }),
  }),
});

builder.mutationField("claimAdministrator", (t) =>
  t.field({
    type: PrincipalPayload,
    description:
      "Makes the caller, who must be a person, the first administrator of their organization. The code is valid for one day and one use, and for each person void after ten wrong attempts of theirs.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: ClaimAdministratorInput, required: true, description: "The setup code." }) },
    resolve: (_root, { input }, context): Promise<PrincipalChanged> =>
      receiptPayload(context, context.services.directory.claimAdministrator(callerOf(context), input)),
  }),
);
