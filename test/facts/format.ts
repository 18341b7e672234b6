import { readFile } from "node:fs/promises";
import { z } from "zod";
import { canonicalize } from "../../src/facts/canonical.ts";
import type { AnyFact } from "../../src/facts/definition.ts";
import { envelope, signatureMember } from "../../src/facts/envelope.ts";
import { commit, type Payload } from "../../src/facts/payload.ts";
import { VOCABULARY } from "../../src/facts/registry.ts";
import { metaOf } from "../../src/facts/schema.ts";
import vectors from "../vectors/entry-v1.json" with { type: "json" };
import { CHECKS, ORDER } from "./format-checks.ts";
import { conditionParts, stateConditionParts } from "./format-conditions.ts";

/** The specification of the format; what stands between its markers is made of the definitions and vectors. */
export const FORMAT_FILE = new URL("../../src/facts/FORMAT.md", import.meta.url);

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** A schema, be it optional or not. */
function unwrap(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodOptional ? unwrap(schema.unwrap() as z.ZodType) : schema;
}

/** A member, and below it those of an object or of the items of a list. */
function rowsOf(name: string, schema: z.ZodType): readonly (readonly string[])[] {
  const { json, description } = metaOf(schema);
  const optional = schema instanceof z.ZodOptional;
  const inner = unwrap(schema);
  const of = inner instanceof z.ZodArray ? (inner.element as z.ZodType) : inner;
  const commitment = json === "commitment";
  const below =
    of instanceof z.ZodObject && !commitment
      ? Object.entries(of.shape as z.ZodRawShape).flatMap(([key, member]) =>
          rowsOf(`${name}${of === inner ? "" : "[]"}.${key}`, member as z.ZodType),
        )
      : [];
  return [[`\`${name}\`${optional ? "?" : ""}`, json, description], ...below];
}

/** The members that say what an entry is, which no definition has. */
const TYPE = [
  "`type`",
  "string",
  "what the entry records: a type of the table below, or one that a reader does not know",
];

function statesRow({ moves, mayMove }: AnyFact): readonly (readonly string[])[] {
  if (Object.keys({ ...moves, ...mayMove }).length === 0) return [];
  const name = Object.keys(moves).length === 0 ? "`states`?" : "`states`";
  return [[name, "list of object", "what the things that it moves are from this entry on (section 4)"]];
}

const membersOf = (members: z.ZodRawShape) =>
  Object.entries(members).flatMap(([name, schema]) => rowsOf(name, schema as z.ZodType));

function typeRows(): readonly (readonly string[])[] {
  return [...VOCABULARY.facts.values()].map((fact) => {
    const moves = [...Object.keys(fact.moves), ...Object.keys(fact.mayMove).map((kind) => `${kind}?`)];
    return [`\`${fact.type}\``, fact.description, moves.join(", "), fact.permits ? "yes" : ""];
  });
}

function typeSection(fact: AnyFact): string {
  const shared: z.ZodRawShape = fact.together;
  const optional = Object.entries(shared).map(([name, member]) => [name, z.optional(member)]);
  const members = [
    ...membersOf({ ...Object.fromEntries(optional), ...fact.members }),
    ...statesRow(fact),
    ...membersOf(signatureMember(fact)),
  ];
  const body = members.length === 0 ? "No members of its own." : table(["member", "JSON", "meaning"], members);
  const conditions = conditionParts(fact.conditions);
  return [`#### \`${fact.type}\``, body, ...togetherNote(shared), ...conditions].join("\n\n");
}

/** That members are there together or not at all. */
function togetherNote(shared: z.ZodRawShape): readonly string[] {
  const required = Object.keys(shared).filter((name) => !(shared[name] instanceof z.ZodOptional));
  const others = Object.keys(shared).filter((name) => !required.includes(name));
  const named = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(", ");
  if (required.length === 0) return [];
  const only = others.length === 0 ? "" : `; ${named(others)} only beside them`;
  return [`All of ${named(required)}, or none of them${only}.`];
}

function stateSection(kind: string): string {
  const state = VOCABULARY.states.get(kind);
  if (state === undefined) throw new Error(`${kind} is not defined`);
  const members = membersOf((state.state as z.ZodObject).shape as z.ZodRawShape);
  const steps = [...VOCABULARY.facts.values()].flatMap((fact) =>
    [...(fact.moves[kind] ?? []), ...(fact.mayMove[kind] ?? [])].map(([from, to]: readonly [string | null, string]) => [
      from === null ? "(made)" : from === "*" ? "any" : `\`${from}\``,
      to === "*" ? "any" : `\`${to}\``,
      `\`${fact.type}\``,
    ]),
  );
  return [
    `#### \`${kind}\`: ${state.description}`,
    `\`id\`: ${state.id}.`,
    table(["member of `state`", "JSON", "meaning"], members),
    table(["from", "to", "by an entry of type"], steps),
    ...stateConditionParts(state.conditions ?? {}),
  ].join("\n\n");
}

function example(): string {
  const [first] = vectors.entries;
  const index = vectors.entries.findIndex(({ payload }) => payload.includes('"decision.note"'));
  const note = (JSON.parse(vectors.entries[index]?.payload ?? "{}") as Payload)["decision.note"];
  const value = note?.value ?? null;
  return [
    `The note of vector ${index + 1} is \`${canonicalize(value)}\`, its salt \`${note?.salt}\`, its commitment`,
    `\`${commit(note?.salt ?? "", canonicalize(value))}\`.`,
    "",
    "Vector 1 in full:",
    "",
    "```text",
    first?.entry ?? "",
    "```",
    "",
    table(
      ["seq", "what it is about", "hash"],
      vectors.entries.map(({ seq, name, hash }) => [seq, name, `\`${hash}\``]),
    ),
  ].join("\n");
}

const parts: Readonly<Record<string, () => string>> = {
  envelope: () => table(["member", "JSON", "meaning"], [TYPE, ...membersOf(envelope)]),
  types: () => table(["type", "fact", "moves", "can permit"], typeRows()),
  members: () => [...VOCABULARY.facts.values()].map(typeSection).join("\n\n"),
  states: () => [...VOCABULARY.states.keys()].map(stateSection).join("\n\n"),
  checks: () =>
    table(
      ["what is so", "or else"],
      Object.values(CHECKS).map(([check, verdict]) => [check, verdict]),
    ),
  order: () => ORDER.map((verdict, at) => `${at + 1}. ${verdict}`).join("\n"),
  vectors: example,
};

/** FORMAT.md with its generated parts made anew. */
export async function renderFormat(): Promise<string> {
  let text = await readFile(FORMAT_FILE, "utf8");
  for (const [name, render] of Object.entries(parts)) {
    const [begin, end] = [`<!-- generated: ${name} -->\n`, `\n<!-- end: ${name} -->`];
    const [from, to] = [text.indexOf(begin), text.indexOf(end)];
    if (from === -1 || to < from) throw new Error(`FORMAT.md has no part ${name}`);
    text = `${text.slice(0, from + begin.length)}${render()}${text.slice(to)}`;
  }
  return text;
}
