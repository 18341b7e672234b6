import type { DirectoryPrincipal, PrincipalPage, Team } from "../../domain/directory/views.ts";
import { MAX_TEAMS } from "../../domain/directory/views.ts";
import { builder } from "../base/builder.ts";
import { type Context, viewerOf } from "../base/context.ts";
import { PrincipalKind, PrincipalStatus } from "../base/enums.ts";
import { badUserInput } from "../base/errors.ts";
import { createLoader } from "../base/loader.ts";
import { AFTER, FIRST, type Page, type PageArguments, pageComplexity, pageSize } from "../base/page.ts";
import { type Position, readingAt } from "../base/position.ts";
import { PrincipalRef } from "./principal.ts";

/** The principal of this id, if the caller may see it. */
export const loadPrincipal = createLoader<string, DirectoryPrincipal>((context, ids) =>
  context.services.directory.load(viewerOf(context), ids),
);

export const DirectoryPrincipalRef = builder.objectRef<DirectoryPrincipal>("DirectoryPrincipal");
DirectoryPrincipalRef.implement({
  description:
    "A principal in its current state. (`AuditEntry.actor` is the principal as it was when the entry was recorded.)",
  fields: (t) => ({
    id: t.exposeID("id", { description: "Unique within the organization." }),
    principal: t.field({
      type: PrincipalRef,
      description:
        "Its name, groups and claims as of its latest call, or as registered when it never called. A registered name takes precedence.",
      resolve: ({ principal }) => principal,
    }),
    status: t.field({
      type: PrincipalStatus,
      description: "Whether its calls are accepted.",
      resolve: ({ status }) => status,
    }),
    roles: t.stringList({
      description: "Roles set with `setPrincipalRoles`. Its tokens may claim more.",
      resolve: ({ roles }) => [...roles],
    }),
    owner: t.field({
      type: DirectoryPrincipalRef,
      nullable: true,
      description:
        "The person responsible for an invited agent; null for other principals, and when you may not see them.",
      resolve: async ({ ownerId }, _args, context) =>
        ownerId === undefined ? null : ((await loadPrincipal(context, ownerId)) ?? null),
    }),
    platforms: t.stringList({
      nullable: true,
      description: "The platforms an invited agent may act on; null: all of the catalog.",
      resolve: ({ platforms }) => (platforms === undefined ? null : [...platforms]),
    }),
    keyThumbprint: t.exposeString("keyThumbprint", {
      nullable: true,
      description:
        "The RFC 7638 thumbprint of the key that an invited agent's tokens must be bound to; null when none is registered.",
    }),
    gateway: t.exposeBoolean("gateway", {
      description:
        "Whether it is a gateway: a proxy that signs statements about the client behind each call it forwards. The server accepts those signed with its registered key.",
    }),
    invitedAt: t.field({
      type: "DateTime",
      nullable: true,
      description: "When it was invited, by the server's clock; null when it was not.",
      resolve: ({ invitedAt }) => invitedAt,
    }),
    lastSeenAt: t.field({
      type: "DateTime",
      nullable: true,
      description:
        "When the latest entry was recorded of something it did or that was done on its behalf; null when there is none.",
      resolve: ({ lastSeenAt }) => lastSeenAt,
    }),
    teams: t.stringList({
      description: "The names of its teams, as of its latest call.",
      resolve: ({ teams }) => [...teams],
    }),
  }),
});

const DirectoryPrincipalConnection = builder.connectionObject(
  {
    type: DirectoryPrincipalRef,
    name: "DirectoryPrincipalConnection",
    description: "A page of principals.",
  },
  { name: "DirectoryPrincipalEdge", description: "A principal with its cursor." },
);

const PREFIX = "principal:";

function encodeCursor(id: string): string {
  return Buffer.from(`${PREFIX}${id}`).toString("base64url");
}

/** The id behind which the page starts; undefined for the first page. */
function decodeCursor({ after }: PageArguments): string | undefined {
  if (after === undefined || after === null) return undefined;
  const text = Buffer.from(after, "base64url").toString();
  const id = text.slice(PREFIX.length);
  if (!text.startsWith(PREFIX) || id === "" || encodeCursor(id) !== after) {
    throw badUserInput("`after` is no cursor of this list.");
  }
  return id;
}

function pageOf(
  { principals, more, stoppedAt }: PrincipalPage,
  after: string | undefined,
  asOf: readonly Position[],
): Page<DirectoryPrincipal> {
  const edges = principals.map((node) => ({ cursor: encodeCursor(node.id), node }));
  return {
    edges,
    pageInfo: {
      hasNextPage: more,
      hasPreviousPage: after !== undefined,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: stoppedAt === undefined ? (edges.at(-1)?.cursor ?? null) : encodeCursor(stoppedAt),
    },
    asOf,
  };
}

const PrincipalFilter = builder.inputType("PrincipalFilter", {
  description: "Conditions that a principal must meet, all of them. An omitted or null member is no condition.",
  fields: (t) => ({
    kind: t.field({ type: PrincipalKind, description: "Its kind." }),
    team: t.string({ description: "The name of a team it belongs to." }),
    suspended: t.boolean({ description: "Whether it is suspended." }),
    text: t.string({ description: "A part of its id, name or e-mail address, ignoring case." }),
  }),
});

type Filter = typeof PrincipalFilter.$inferInput;

async function readPage(context: Context, filter: Filter, args: PageArguments): Promise<Page<DirectoryPrincipal>> {
  const limit = pageSize(args);
  const after = decodeCursor(args);
  const { kind, team, suspended, text } = filter;
  const asked = {
    kind: kind ?? undefined,
    team: team ?? undefined,
    suspended: suspended ?? undefined,
    text: text ?? undefined,
  };
  const asOf = await readingAt(context);
  return pageOf(await context.services.directory.list(viewerOf(context), asked, { after, limit }), after, asOf);
}

const TeamRef = builder.objectRef<Team>("Team").implement({
  description: "The principals of one group. People with the role `lead:<name>` lead it.",
  fields: (t) => ({
    id: t.id({ description: "The same as its name.", resolve: ({ name }) => name }),
    name: t.exposeString("name", { description: "The name of the group." }),
    leads: t.field({
      type: [DirectoryPrincipalRef],
      description: "Its leads that you may see.",
      resolve: async ({ leadIds }, _args, context) => {
        const found = await Promise.all(leadIds.map((id) => loadPrincipal(context, id)));
        return found.filter((lead) => lead !== undefined);
      },
    }),
    members: t.field({
      type: DirectoryPrincipalConnection,
      description: "Its members that you may see, ordered by id.",
      complexity: pageComplexity,
      args: {
        first: t.arg.int({ description: FIRST }),
        after: t.arg.string({ description: AFTER }),
      },
      resolve: ({ name }, args, context) => readPage(context, { team: name }, args),
    }),
  }),
});

builder.queryField("principals", (t) =>
  t.field({
    type: DirectoryPrincipalConnection,
    description:
      "Registered principals and all that ever acted or were acted for, ordered by id. Administrators and auditors see all; others see themselves, their agents, the person they act for, the leads of their teams and the members of teams they lead.",
    authScopes: { signedIn: true },
    complexity: pageComplexity,
    args: {
      filter: t.arg({
        type: PrincipalFilter,
        description: "Conditions to meet. Default: none.",
      }),
      first: t.arg.int({ description: FIRST }),
      after: t.arg.string({ description: AFTER }),
    },
    resolve: (_root, { filter, ...page }, context) => readPage(context, filter ?? {}, page),
  }),
);

builder.queryField("principal", (t) =>
  t.field({
    type: DirectoryPrincipalRef,
    nullable: true,
    description: "The principal with this id; null when there is none that you may see.",
    authScopes: { signedIn: true },
    args: { id: t.arg.id({ required: true, description: "A principal's id." }) },
    resolve: async (_root, { id }, context) => (await loadPrincipal(context, id)) ?? null,
  }),
);

builder.queryField("teams", (t) =>
  t.field({
    type: [TeamRef],
    description: `At most ${MAX_TEAMS} teams, ordered by name. Administrators and auditors see all; others see teams they belong to or lead.`,
    authScopes: { signedIn: true },
    complexity: { field: 1, multiplier: MAX_TEAMS },
    args: { after: t.arg.id({ description: "Continue after the team with this id. Default: the first teams." }) },
    resolve: async (_root, { after }, context) => [
      ...(await context.services.directory.teams(viewerOf(context), after ?? undefined)),
    ],
  }),
);
