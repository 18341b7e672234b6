import { z } from "zod";
import type { JsonObject } from "./canonical.ts";
import type { AnyFact } from "./definition.ts";
import { envelope } from "./envelope.ts";
import { VOCABULARY } from "./registry.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** Problems named for one entry at most. */
const MAX_PROBLEMS = 8;
const VERSION = z.int().min(1);
const ID = z.string().min(1).max(400);

/**
 * What is wrong with the body of an entry, as `<path>: <what>`, at most a few; none: it says what its type says. A type
 * that is not known is taken as it is, unless it moves a state: nobody could tell whether it may.
 */
export type BodyCheck = (body: JsonObject) => readonly string[];

export function createBodyCheck({ facts, states }: Vocabulary): BodyCheck {
  const schemas = new Map<string, z.ZodType>();
  const schemaOf = (fact: AnyFact) => {
    let schema = schemas.get(fact.type);
    if (schema === undefined) {
      schema = bodySchema(fact, states);
      schemas.set(fact.type, schema);
    }
    return schema;
  };
  return (body) => {
    const fact = facts.get(String(body.type));
    if (fact === undefined) {
      return body.states === undefined ? [] : [`type: ${String(body.type)} is not known, and the entry moves a state`];
    }
    const result = schemaOf(fact).safeParse(body);
    if (!result.success) {
      return result.error.issues.slice(0, MAX_PROBLEMS).map(({ path, message }) => `${path.join(".")}: ${message}`);
    }
    return checkMoves(fact, states, body, Array.isArray(body.states) ? (body.states as readonly JsonObject[]) : []);
  };
}

/** Of bodies whose members are those of the product. */
export const checkBody = createBodyCheck(VOCABULARY);

function bodySchema(fact: AnyFact, states: Vocabulary["states"]): z.ZodType {
  const items = [...Object.keys(fact.moves), ...Object.keys(fact.mayMove)].map((kind) =>
    z.strictObject({ kind: z.literal(kind), id: ID, version: VERSION, state: states.get(kind)?.state ?? z.never() }),
  );
  const [first, ...others] = items;
  const moved = first === undefined ? {} : { states: z.array(z.discriminatedUnion("kind", [first, ...others])) };
  return z.strictObject({ ...envelope, type: z.literal(fact.type), ...fact.members, ...moved });
}

/** One thing of each kind that the type moves, no thing twice, and only such states as the type leads to. */
function checkMoves(
  fact: AnyFact,
  known: Vocabulary["states"],
  body: JsonObject,
  states: readonly JsonObject[],
): readonly string[] {
  const problems: string[] = [];
  for (const kind of Object.keys(fact.moves)) {
    if (states.filter((state) => state.kind === kind).length !== 1) {
      problems.push(`states: an entry of type ${fact.type} moves one ${kind}`);
    }
  }
  const things = new Set(states.map(({ kind, id }) => `${String(kind)} ${String(id)}`));
  if (things.size !== states.length) problems.push("states: a thing is moved twice");
  for (const { kind, id, version, state } of states) {
    const { namedBy } = known.get(String(kind)) ?? {};
    if (namedBy !== undefined && (namedBy.whenMade !== true || version === 1) && memberAt(body, namedBy.path) !== id) {
      problems.push(`${namedBy.path}: is not the ${String(kind)} that the entry moves`);
    }
    const { status } = state as JsonObject;
    const steps = fact.moves[String(kind)] ?? fact.mayMove[String(kind)] ?? [];
    const leads = steps.some(([from, to]) => (from === null) === (version === 1) && to === (status ?? "*"));
    if (!leads) {
      problems.push(
        `states: an entry of type ${fact.type} leads no ${String(kind)} of version ${String(version)} to ${String(status ?? "a state")}`,
      );
    }
  }
  return problems;
}

function memberAt(body: JsonObject, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => (value as JsonObject | undefined)?.[key], body);
}
