import {
  type GraphQLField,
  type GraphQLNamedType,
  getNamedType,
  getNullableType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  isSpecifiedScalarType,
} from "graphql";
import { describe, expect, it } from "vitest";
import { schema } from "../../src/graphql/schema.ts";

const types = Object.values(schema.getTypeMap()).filter(
  (type) => !type.name.startsWith("__") && !isSpecifiedScalarType(type),
);

/** Every coordinate of the schema with what stands there. */
function* coordinates(
  type: GraphQLNamedType,
): Generator<readonly [string, { readonly description?: string | null | undefined }]> {
  yield [type.name, type];
  if (isEnumType(type)) for (const value of type.getValues()) yield [`${type.name}.${value.name}`, value];
  if (isInputObjectType(type))
    for (const field of Object.values(type.getFields())) yield [`${type.name}.${field.name}`, field];
  if (!isObjectType(type) && !isInterfaceType(type)) return;
  for (const field of Object.values(type.getFields())) {
    yield [`${type.name}.${field.name}`, field];
    for (const argument of field.args) yield [`${type.name}.${field.name}(${argument.name}:)`, argument];
  }
}

const all = types.flatMap((type) => [...coordinates(type)]);

function fieldsOf(type: GraphQLNamedType | null | undefined): GraphQLField<unknown, unknown>[] {
  return isObjectType(type) ? Object.values(type.getFields()) : [];
}

const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].flatMap(fieldsOf);
const mutations = fieldsOf(schema.getMutationType());

describe("the schema", () => {
  it("describes everything", () => {
    expect(all.length).toBeGreaterThan(200);
    expect(all.filter(([, { description }]) => !description).map(([where]) => where)).toEqual([]);
  });

  it("names types in PascalCase, enum values in UPPER_CASE and everything else in camelCase", () => {
    const wrong = all.flatMap(([where]) => {
      const [type = "", member] = where.replace(/\(.*/, "").split(".");
      const isValue = isEnumType(schema.getType(type));
      const memberIsFine = member === undefined || (isValue ? /^[A-Z][A-Z0-9_]*$/ : /^[a-z][A-Za-z0-9]*$/).test(member);
      return /^[A-Z][A-Za-z0-9]*$/.test(type) && memberIsFine ? [] : [where];
    });
    expect(wrong).toEqual([]);
  });

  it("gives each mutation one input of its own and a payload of its own", () => {
    expect(mutations.length).toBeGreaterThanOrEqual(9);
    for (const { name, args, type } of mutations) {
      expect(
        args.map((argument) => argument.name),
        name,
      ).toEqual(["input"]);
      const input = args[0]?.type;
      const ownInput = `${name[0]?.toUpperCase()}${name.slice(1)}Input`;
      expect(String(input), name).toBe(`${ownInput}!`);
      expect(String(type), name).toMatch(/^\w+Payload!$/);
      const payload = getNamedType(type);
      const { userErrors, ...facts } = isObjectType(payload) ? payload.getFields() : {};
      expect(String(userErrors?.type), name).toBe("[UserError!]!");
      // Null, or a list without anything in it, when the mutation was refused.
      for (const fact of Object.values(facts)) {
        const isList = isListType(getNullableType(fact.type));
        expect(isNonNullType(fact.type), `${payload.name}.${fact.name}`).toBe(isList);
      }
    }
  });

  it("has connections in Relay's shape, with nodes", () => {
    const connections = types.filter((type) => type.name.endsWith("Connection"));
    expect(connections.length).toBeGreaterThanOrEqual(2);
    for (const connection of connections) {
      const node = connection.name.replace("Connection", "");
      const shape = Object.fromEntries(fieldsOf(connection).map(({ name, type }) => [name, String(type)]));
      const asOf = "[LedgerPosition!]!";
      const unreadRegions = "[String!]!";
      const edges = `[${node}Edge!]!`;
      expect(shape).toEqual({ asOf, unreadRegions, edges, nodes: `[${node}!]!`, pageInfo: "PageInfo!" });
      const edge = Object.fromEntries(
        fieldsOf(schema.getType(`${node}Edge`)).map(({ name, type }) => [name, String(type)]),
      );
      expect(edge).toEqual({ cursor: "String!", node: `${node}!` });
    }
  });

  it("asks for a scope at every root field", () => {
    const scopes = roots.map(
      ({ name, extensions }) =>
        [name, (extensions.pothosOptions as { authScopes?: object } | undefined)?.authScopes] as const,
    );
    expect(scopes.length).toBeGreaterThanOrEqual(23);
    for (const [name, scope] of scopes) {
      expect(Object.keys(scope ?? {}), name).toHaveLength(1);
      expect(["signedIn", "readsLedger", "oversees"], name).toContain(Object.keys(scope ?? {})[0]);
    }
  });

  it("has a cost for every field", () => {
    const free = types.flatMap((type) =>
      fieldsOf(type)
        .filter(({ extensions }) => extensions.complexity === undefined)
        .map(({ name }) => `${type.name}.${name}`),
    );
    expect(free).toEqual([]);
  });

  it("links the specification of custom scalars, or describes their form", () => {
    for (const name of ["DateTime", "UUID", "JSON"])
      expect(schema.getType(name)).toHaveProperty("specifiedByURL", expect.stringMatching(/rfc/));
  });
});
