import SchemaBuilder from "@pothos/core";
import ComplexityPlugin from "@pothos/plugin-complexity";
import PrismaPlugin from "@pothos/plugin-prisma";
import RelayPlugin from "@pothos/plugin-relay";
import ScopeAuthPlugin from "@pothos/plugin-scope-auth";
import type PrismaTypes from "../../db/generated/pothos-types.ts";
import { getDatamodel } from "../../db/generated/pothos-types.ts";
import { createPrisma } from "../../db/prisma.ts";
import type { JsonValue } from "../../facts/canonical.ts";
import type { Context } from "./context.ts";
import { graphqlError } from "./errors.ts";
import { perOperation } from "./loader.ts";
import { decodeNodeId, encodeNodeId } from "./node-id.ts";
import type { Position } from "./position.ts";
import { addScalars } from "./scalars.ts";
import { type Scopes, scopesOf } from "./scopes.ts";

interface SchemaTypes {
  Context: Context;
  PrismaTypes: PrismaTypes;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: { list: false; items: false };
  DefaultNodeNullability: false;
  AuthScopes: Scopes;
  /** What every page of a connection has beside edges and pageInfo. */
  Connection: { asOf: readonly Position[]; unreadRegions?: readonly string[] };
  Scalars: {
    /** The decimal string of the wire as a bigint. */
    Sequence: { Input: bigint; Output: bigint };
    /** `sha256:` and 64 hex digits; an output may be the digits alone. */
    Hash: { Input: string; Output: string };
    /** RFC 3339 with microseconds. */
    DateTime: { Input: string; Output: string };
    UUID: { Input: string; Output: string };
    JSON: { Input: JsonValue; Output: JsonValue };
    ID: { Input: string; Output: string };
  };
}

/**
 * For what Pothos has to load itself, in the snapshot of the operation. Resolvers return complete rows, read with SQL, which
 * costs a fifth of the same read with Prisma, and a tenth when several rows are read together.
 */
const prismaOf = perOperation(({ db }) => createPrisma(db));

export type Builder = ReturnType<typeof createBuilder>;

function createBuilder() {
  const builder = new SchemaBuilder<SchemaTypes>({
    // Scope-auth comes first, so that nothing of a field runs before its scope was checked.
    plugins: [ScopeAuthPlugin, RelayPlugin, PrismaPlugin, ComplexityPlugin],
    defaultFieldNullability: false,
    scopeAuth: {
      authScopes: scopesOf,
      authorizeOnSubscribe: true,
      treatErrorsAsUnauthorized: false,
      unauthorizedError: (_parent, context) =>
        context.caller === undefined
          ? graphqlError("UNAUTHENTICATED", "Sign in: send `Authorization: Bearer <token>`.")
          : graphqlError("FORBIDDEN", "Your roles do not allow this."),
    },
    relay: {
      clientMutationId: "omit",
      cursorType: "String",
      nodesOnConnection: {
        description: "The nodes of the page, in order, without cursors.",
        complexity: { field: 0, multiplier: 1 },
      },
      edgesFieldOptions: {
        description: "The nodes of the page in order, each with its cursor.",
        nullable: { list: false, items: false },
        complexity: { field: 0, multiplier: 1 },
      },
      nodeFieldOptions: { description: "The node.", nullable: false },
      cursorFieldOptions: { description: "Pass it as `after` to continue after this node." },
      pageInfoFieldOptions: { description: "First and last cursor of the page, and whether more pages follow." },
      pageInfoTypeOptions: { description: "Cursors of a page, and whether there are more." },
      hasNextPageFieldOptions: { description: "Whether more nodes follow this page." },
      hasPreviousPageFieldOptions: { description: "Whether `after` was given." },
      startCursorFieldOptions: { description: "The cursor of the first node; null on an empty page." },
      endCursorFieldOptions: { description: "The cursor to pass as `after` for the next page; null on an empty page." },
      nodeTypeOptions: { description: "An object that `Query.node` returns by its id." },
      idFieldOptions: { description: "Opaque; never changes." },
      nodeQueryOptions: false,
      nodesQueryOptions: false,
      encodeGlobalID: (typename, id) => encodeNodeId(typename, String(id)),
      decodeGlobalID: decodeNodeId,
    },
    prisma: {
      client: prismaOf,
      dmmf: getDatamodel(),
      exposeDescriptions: false,
      filterConnectionTotalCount: true,
      onUnusedQuery: null,
    },
    complexity: { defaultComplexity: 1, defaultListMultiplier: 10 },
  });
  builder.queryType({
    description: "All reads. All fields of one query read the same snapshot.",
    authScopes: { signedIn: true },
  });
  builder.mutationType({
    description: "All changes. An expected refusal is returned in `userErrors`, not as a GraphQL error.",
    authScopes: { signedIn: true },
  });
  builder.subscriptionType({
    description:
      "Changes as they are recorded. To continue after a disconnect, pass the last position received as `after`.",
    authScopes: { signedIn: true },
  });
  return builder;
}

/** The one schema under construction: each module of an area adds its types and fields to it when loaded. */
export const builder = createBuilder();
addScalars(builder);
