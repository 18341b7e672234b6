import { readFile } from "node:fs/promises";
import {
  buildSchema,
  type GraphQLArgument,
  type GraphQLInputField,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  printSchema,
} from "graphql";
import { describe, expect, it } from "vitest";
import { schema } from "../../src/graphql/schema.ts";

const read = (path: string) => readFile(new URL(path, import.meta.url), "utf8");

describe("schema/schema.graphql", () => {
  it("is what the code prints: `npm run schema:graphql` rewrites it", async () => {
    expect(`${printSchema(schema)}\n`).toBe(await read("../../schema/schema.graphql"));
  });
});

/** `type`, or the same without its outermost `!`. */
const loose = (type: string) => type.replace(/!$/, "");

describe("what clients rely on", async () => {
  const contract = buildSchema(await read("contract.graphql"));
  const promised = Object.values(contract.getTypeMap()).filter(({ name }) => !name.startsWith("__"));

  it.each(promised.map((type) => [type.name, type] as const))("%s is there in full", (name, type) => {
    const ours = schema.getType(name);
    expect(ours?.constructor.name).toBe(type.constructor.name);
    if (isEnumType(type) && isEnumType(ours)) {
      expect(ours.getValues().map((value) => value.name)).toEqual(
        expect.arrayContaining(type.getValues().map((value) => value.name)),
      );
    }
    if (isInputObjectType(type) && isInputObjectType(ours)) compareInputs(type.getFields(), ours.getFields());
    if ((isObjectType(type) && isObjectType(ours)) || (isInterfaceType(type) && isInterfaceType(ours))) {
      expect(ours.getInterfaces().map(String)).toEqual(expect.arrayContaining(type.getInterfaces().map(String)));
      for (const [field, { type: wanted, args }] of Object.entries(type.getFields())) {
        const found = ours.getFields()[field];
        expect([String(wanted), `${loose(String(wanted))}!`], `${name}.${field}`).toContain(String(found?.type));
        compareInputs(byName(args), byName(found?.args ?? []));
      }
    }
  });
});

function byName(args: readonly GraphQLArgument[]): Record<string, GraphQLArgument> {
  return Object.fromEntries(args.map((argument) => [argument.name, argument]));
}

type Inputs = Readonly<Record<string, GraphQLArgument | GraphQLInputField>>;

/** What is promised is taken as it was; what is ours beyond that may be left out. */
function compareInputs(promised: Inputs, ours: Inputs): void {
  for (const [name, { type }] of Object.entries(promised)) expect(String(ours[name]?.type), name).toBe(String(type));
  const further = Object.entries(ours).filter(([name]) => !Object.hasOwn(promised, name));
  for (const [name, { type }] of further) expect(String(type), name).not.toMatch(/!$/);
}
