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
    "A principal as the directory has it now. `AuditEntry.actor` has it as it was when the entry was recorded.",
  fields: (t) => ({
    id: t.exposeID("id", { description: "Unique within the organization." }),
    principal: t.field({
      type: PrincipalRef,
      description: "Who it is: as last seen, or as entered here when it never was. Its registered name comes first.",
      resolve: ({ principal }) => principal,
    }),
    status: t.field({ type: PrincipalStatus, description: "Whether it may come in.", resolve: ({ status }) => status }),
    roles: t.stringList({
      description: "Roles given here; its tokens may claim further ones.",
      resolve: ({ roles }) => [...roles],
    }),
    owner: t.field({
      type: DirectoryPrincipalRef,
      nullable: true,
      description: "The person who answers for an invited agent.",
      resolve: async ({ ownerId }, _args, context) =>
        ownerId === undefined ? null : ((await loadPrincipal(context, ownerId)) ?? null),
    }),
    platforms: t.stringList({
      nullable: true,
      description: "Platforms an invited agent may act on; null: those of the catalog.",
      resolve: ({ platforms }) => (platforms === undefined ? null : [...platforms]),
    }),
    keyThumbprint: t.exposeString("keyThumbprint", {
      nullable: true,
      description: "The key an invited agent has to prove, by its RFC 7638 thumbprint.",
    }),
    gateway: t.exposeBoolean("gateway", {
      description:
        "Whether it is a gateway: the server believes what it says about the clients whose calls it passes on, if signed with its key.",
    }),
    invitedAt: t.field({
      type: "DateTime",
      nullable: true,
      description: "When it was invited, by the server's clock; the entry has the database's.",
      resolve: ({ invitedAt }) => invitedAt,
    }),
    lastSeenAt: t.field({
      type: "DateTime",
      nullable: true,
      description: "When it last did something that was recorded, or somebody did for it.",
      resolve: ({ lastSeenAt }) => lastSeenAt,
    }),
    teams: t.stringList({
      description: "The teams it belonged to when it was last seen, by name.",
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
  { name: "DirectoryPrincipalEdge", description: "A principal on a page." },
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
  description: "Conditions on a principal; it must meet all of them. What is left out or null asks for nothing.",
  fields: (t) => ({
    kind: t.field({ type: PrincipalKind, description: "What it is." }),
    team: t.string({ description: "A team it belongs to." }),
    suspended: t.boolean({ description: "Whether it is suspended." }),
    text: t.string({ description: "Part of its id, name or address, in any case." }),
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
  description: "Principals who have a group in common. Whoever has the role `lead:<team>` leads it.",
  fields: (t) => ({
    id: t.id({ description: "The same as its name.", resolve: ({ name }) => name }),
    name: t.exposeString("name", { description: "The name of the group." }),
    leads: t.field({
      type: [DirectoryPrincipalRef],
      description: "Those who lead it, of those you may see.",
      resolve: async ({ leadIds }, _args, context) => {
        const found = await Promise.all(leadIds.map((id) => loadPrincipal(context, id)));
        return found.filter((lead) => lead !== undefined);
      },
    }),
    members: t.field({
      type: DirectoryPrincipalConnection,
      description: "Those who belong to it, of those you may see; by id.",
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
      "Who the directory has, and everybody the ledger has seen acting or acted for, by id. Administrators and auditors see everybody; others themselves, their agents, whom they act for, who leads their teams and whom they lead.",
    authScopes: { signedIn: true },
    complexity: pageComplexity,
    args: {
      filter: t.arg({
        type: PrincipalFilter,
        description: "Only those that meet this filter; everybody when left out.",
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
    description: "The principal of this id; null when there is none you may see.",
    authScopes: { signedIn: true },
    args: { id: t.arg.id({ required: true, description: "A principal's id." }) },
    resolve: async (_root, { id }, context) => (await loadPrincipal(context, id)) ?? null,
  }),
);

builder.queryField("teams", (t) =>
  t.field({
    type: [TeamRef],
    description: `Teams by name, at most ${MAX_TEAMS}: for administrators and auditors all, for others those they belong to or lead.`,
    authScopes: { signedIn: true },
    complexity: { field: 1, multiplier: MAX_TEAMS },
    args: { after: t.arg.id({ description: "Continue behind the team of this id." }) },
    resolve: async (_root, { after }, context) => [
      ...(await context.services.directory.teams(viewerOf(context), after ?? undefined)),
    ],
  }),
);
