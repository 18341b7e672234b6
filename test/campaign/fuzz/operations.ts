import { readFileSync } from "node:fs";
import {
  buildSchema,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  getNamedType,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
} from "graphql";
import type { Choices } from "./choices.ts";
import { damaged, jsonOf, numberOf, textOf } from "./values.ts";

export interface Operation {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

const schema = buildSchema(readFileSync(new URL("../../../schema/schema.graphql", import.meta.url), "utf8"));
const ROOTS = {
  query: schema.getQueryType(),
  mutation: schema.getMutationType(),
  subscription: schema.getSubscriptionType(),
};
type Kind = keyof typeof ROOTS;

const PLATFORMS = ["crm", "flights", "reservations", "vouchers", "support", "calculator"];

/** What makes operations: decisions, and texts that the server answered earlier, such as ids, digests and grants. */
export interface Material {
  readonly choices: Choices;
  readonly known: readonly string[];
  /** To use the first that fits, instead of any. */
  readonly first?: boolean;
}

/** A text that the server answered earlier, of this form, mostly. */
function knownOf({ choices, known, first }: Material, form: RegExp): string | undefined {
  if (choices.oneIn(8)) return undefined;
  const fitting = known.filter((text) => form.test(text));
  if (first === true && fitting[0] !== undefined) return fitting[0];
  return fitting.length === 0 ? undefined : choices.pick(fitting);
}

/** A value for `type`, now and then one of another type. */
function inputOf(material: Material, type: GraphQLInputType, name: string, depth = 4): unknown {
  const { choices, known } = material;
  if (choices.oneIn(120)) return jsonOf(choices);
  if (isNonNullType(type)) return inputOf(material, type.ofType, name, depth);
  if (isListType(type)) {
    const most = choices.oneIn(30) ? 150 : 3;
    return choices.some(most, () => inputOf(material, type.ofType, name, depth - 1));
  }
  if (isEnumType(type)) return choices.pick(type.getValues()).name;
  if (isInputObjectType(type)) {
    // What belongs together came together: the digest after the id.
    const together = known.slice(choices.below(known.length + 1));
    const same = choices.oneIn(4) ? material : { choices, known: together, first: true };
    const members = Object.values(type.getFields()).flatMap((member) => {
      const left = depth <= 0 || choices.oneIn(2);
      if (!isNonNullType(member.type) && left) return choices.oneIn(10) ? [[member.name, null] as const] : [];
      return [[member.name, inputOf(same, member.type, member.name, depth - 1)] as const];
    });
    return Object.fromEntries(members);
  }
  if (name === "idempotencyKey" && !choices.oneIn(8)) return crypto.randomUUID();
  if (name === "after" || name === "token") return knownOf(material, name === "token" ? /^eyJ/ : /./) ?? null;
  if (name === "region" && !choices.oneIn(5)) return "eu";
  if (name === "platform" && !choices.oneIn(5)) return choices.pick(PLATFORMS);
  switch (type.name) {
    case "JSON":
      return choices.oneIn(3) ? { to: textOf(choices), amount: choices.below(900) } : jsonOf(choices, 4);
    case "Boolean":
      return choices.oneIn(2);
    case "Int":
    case "Float":
      return choices.oneIn(2) ? choices.below(30) : numberOf(choices);
    case "Sequence":
      return choices.oneIn(4) ? textOf(choices) : String(choices.below(60));
    case "UUID":
      return knownOf(material, /^[0-9a-f-]{36}$/) ?? textOf(choices);
    case "Hash":
      return knownOf(material, /^sha256:/) ?? textOf(choices);
    case "ID":
      return knownOf(material, /./) ?? textOf(choices);
    default:
      return textOf(choices, known);
  }
}

/** Source text of a literal with this value; names of enums are written as names. */
function literalOf(value: unknown, type: GraphQLInputType): string {
  const named = isNonNullType(type) ? type.ofType : type;
  if (isListType(named) && Array.isArray(value))
    return `[${value.map((item) => literalOf(item, named.ofType)).join(" ")}]`;
  if (isEnumType(named) && typeof value === "string") return value;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return JSON.stringify(value) ?? "null";
  const types = isInputObjectType(named) ? named.getFields() : {};
  const members = Object.entries(value).map(([name, member]) => {
    const known = types[name]?.type;
    return `${/^[_A-Za-z]\w*$/.test(name) ? name : "_"}:${known === undefined ? JSON.stringify(member) : literalOf(member, known)}`;
  });
  return `{${members.join(" ")}}`;
}

/** Half of all mutations: with anything else there would be little to decide about. */
const OF_ACTIONS = new Set([
  "proposeAction",
  "approveAction",
  "denyAction",
  "claimGrant",
  "redeemGrant",
  "completeAction",
]);

interface Draft {
  readonly variables: Record<string, unknown>;
  readonly declared: string[];
}

function argumentsOf(material: Material, field: GraphQLField<unknown, unknown>, draft: Draft): string {
  const { choices } = material;
  const written = field.args.flatMap(({ name, type }) => {
    if (!isNonNullType(type) && choices.oneIn(2)) return [];
    const value = inputOf(material, type, name);
    if (choices.oneIn(4)) return [`${name}:${literalOf(value, type)}`];
    const variable = `v${draft.declared.length}`;
    draft.declared.push(`$${variable}:${type}`);
    draft.variables[variable] = value;
    return [`${name}:$${variable}`];
  });
  return written.length === 0 ? "" : `(${written.join(" ")})`;
}

function selectionOf(material: Material, output: GraphQLOutputType, draft: Draft, depth: number): string {
  const { choices } = material;
  const type = getNamedType(output);
  if (isLeafType(type)) return "";
  if (isAbstractType(type)) {
    const possible = choices.some(3, () => choices.pick(schema.getPossibleTypes(type)));
    const parts = possible.map((each) => `...on ${each.name}${selectionOf(material, each, draft, depth - 1)}`);
    return `{__typename ${parts.join(" ")}}`;
  }
  const fields = Object.values((type as GraphQLObjectType).getFields());
  const always = fields.filter(({ name }) =>
    ["id", "digest", "token", "code", "userErrors", "action", "nodes"].includes(name),
  );
  const more = choices.some(6, () => choices.pick(fields));
  const written = [...new Set([...always, ...more])].flatMap((field) => {
    const named = getNamedType(field.type);
    if (!isLeafType(named) && depth <= 0) return [];
    const alias = choices.oneIn(12) ? `a${choices.below(5)}:` : "";
    const given = argumentsOf(material, field, draft);
    const directive = choices.oneIn(40) ? "@skip(if:false)" : "";
    return [`${alias}${field.name}${given}${directive}${selectionOf(material, field.type, draft, depth - 1)}`];
  });
  return `{${written.length === 0 ? "__typename" : written.join(" ")}}`;
}

/** An operation that is mostly valid. */
export function operationOf(material: Material, kinds: readonly Kind[] = ["mutation", "query"]): Operation {
  const { choices } = material;
  const kind = choices.pick(kinds);
  const root = ROOTS[kind];
  if (!isObjectType(root)) throw new TypeError(`the schema has no ${kind}`);
  const draft: Draft = { variables: {}, declared: [] };
  const count = kind === "subscription" || !choices.oneIn(6) ? 1 : 1 + choices.below(4);
  const fields = Array.from({ length: count }, (_, at) => {
    const fields = Object.values(root.getFields());
    const ofActions = fields.filter(({ name }) => OF_ACTIONS.has(name));
    const field = choices.pick(choices.oneIn(2) || ofActions.length === 0 ? fields : ofActions);
    const alias = count === 1 ? "" : `f${at}:`;
    return `${alias}${field.name}${argumentsOf(material, field, draft)}${selectionOf(material, field.type, draft, 1 + choices.below(4))}`;
  });
  const declared = draft.declared.length === 0 ? "" : `(${draft.declared.join(" ")})`;
  return { query: `${kind} Fuzz${declared}{${fields.join(" ")}}`, variables: draft.variables };
}

const SHAPES: readonly ((choices: Choices, count: number) => string)[] = [
  (_, count) => `${"{viewer".repeat(count)}${"}".repeat(count)}`,
  (_, count) => `{${"viewer{id} ".repeat(count)}}`,
  (_, count) => `{${Array.from({ length: count }, (_each, at) => `a${at}:viewer{id}`).join(" ")}}`,
  (_, count) =>
    `{...F0}${Array.from({ length: count }, (_each, at) => `fragment F${at} on Query{...F${at + 1} ...F${at + 1}}`).join("")}fragment F${count} on Query{viewer{id}}`,
  (_, count) =>
    `{...F0}${Array.from({ length: count }, (_each, at) => `fragment F${at} on Query{...F${(at + 1) % count}}`).join("")}`,
  (choices, count) =>
    `query(${Array.from({ length: count }, (_each, at) => `$v${at}:${choices.pick(["Int", "[[Int!]!]", "JSON", "Nothing"])}`).join(" ")}){viewer{id}}`,
  (_, count) => `{viewer{id ${"@include(if:true)".repeat(count)}}}`,
  (_, count) => `{${"...on Query{".repeat(count)}viewer{id}${"}".repeat(count)}}`,
  (_, count) => `query A{viewer{id}}`.repeat(count),
  (_, count) => `{__schema{types{${"fields{type{ofType{".repeat(count % 12)}name${"}}}".repeat(count % 12)}}}}`,
  (_, count) => `{viewer{id(${"x:1 ".repeat(count)})}}`,
  (_, count) => `#${"\n#".repeat(count)}\n{viewer{id}}`,
  (_, count) => `{actions(first:100){nodes{${"entries{nodes{body}} ".repeat(Math.min(count, 40))}}}}`,
];

/** A document in which something is too much, repeated, cyclic or not GraphQL at all. */
export function hostileDocumentOf(material: Material): Operation {
  const { choices } = material;
  if (choices.oneIn(3)) return { query: choices.pick(SHAPES)(choices, choices.below(400)), variables: {} };
  const operation = operationOf(material);
  return { query: damaged(choices, operation.query), variables: operation.variables };
}
