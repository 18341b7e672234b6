import { z } from "zod";
import type { JsonObject, JsonValue } from "../canonical.ts";
import type { AnyFact } from "../definition.ts";
import { envelope, signatureMember } from "../envelope.ts";
import { VOCABULARY } from "../registry.ts";
import type { Vocabulary } from "../vocabulary.ts";
import { type AgreementCheck, createAgreementCheck } from "./agreement.ts";
import { createMovesCheck, type MovedThing, type MovesCheck } from "./moves.ts";
import { type QuickCheck, quickCheck } from "./quick-check.ts";

/** Problems named for one entry at most. */
const MAX_PROBLEMS = 8;
/** Characters of an id at most: code points, as the database counts them. */
const MAX_ID = 400;
const ID = z.string().refine((id) => id !== "" && (id.length <= MAX_ID || [...id].length <= MAX_ID), {
  error: `is empty or longer than ${MAX_ID} characters`,
});
const VERSION = z.int32().min(1);

/**
 * What is wrong with the body of an entry, as `<path>: <what>`, at most a few; none: it says what its type says. A type
 * that is not known is taken as it is, unless it moves a state: nobody could tell whether it may.
 */
export type BodyCheck = (body: JsonObject) => readonly string[];

/** What entries of one type are checked by. */
interface TypeCheck {
  readonly schema: z.ZodType;
  readonly quick: QuickCheck;
  readonly moves: MovesCheck;
  readonly agreement: AgreementCheck;
  readonly together: readonly string[];
  readonly required: readonly string[];
}

const NONE: readonly string[] = [];

export function createBodyCheck({ facts, states }: Vocabulary): BodyCheck {
  const checks = new Map<string, TypeCheck>();
  const checkOf = (type: string): TypeCheck | undefined => {
    const fact = facts.get(type);
    if (fact === undefined) return undefined;
    const check = createTypeCheck(fact, states);
    checks.set(type, check);
    return check;
  };
  return (body) => {
    const { type } = body;
    if (typeof type !== "string") return [type === undefined ? "type: is missing" : "type: is no string"];
    const check = checks.get(type) ?? checkOf(type);
    if (check === undefined) {
      return body.states === undefined ? NONE : [`type: ${type} is not known, and the entry moves a state`];
    }
    if (!check.quick(body)) {
      // The schema says in words what is wrong, if anything is.
      const { success, error } = check.schema.safeParse(body);
      if (!success) return error.issues.flatMap(issueProblems).slice(0, MAX_PROBLEMS);
    }
    const apart = togetherProblems(check, body);
    if (apart.length > 0) return apart;
    const things = thingsOf(body.states);
    const moved = check.moves(body, things);
    return moved.length > 0 ? moved : check.agreement(body, things);
  };
}

/** Of entries of the product. */
export const checkBody = createBodyCheck(VOCABULARY);

const ENVELOPE = z.object({ ...envelope, type: z.string() });

/** What is wrong with the members that entries of every type have, whatever others there are. */
export const checkEnvelope: BodyCheck = (body) => {
  const { success, error } = ENVELOPE.safeParse(body);
  return success ? NONE : error.issues.flatMap(issueProblems).slice(0, MAX_PROBLEMS);
};

/** The members of a body of one type, each by itself. */
export function bodySchema(fact: AnyFact, states: Vocabulary["states"]): z.ZodType {
  const together: z.ZodRawShape = fact.together;
  const optional = Object.entries(together).map(([name, member]) => [name, z.optional(member)]);
  return z.strictObject({
    ...envelope,
    type: z.literal(fact.type),
    ...fact.members,
    ...Object.fromEntries(optional),
    ...statesMember(fact, states),
    ...signatureMember(fact),
  });
}

function createTypeCheck(fact: AnyFact, states: Vocabulary["states"]): TypeCheck {
  const schema = bodySchema(fact, states);
  const together: z.ZodRawShape = fact.together;
  return {
    schema,
    quick: quickCheck(schema),
    moves: createMovesCheck(fact, states),
    agreement: createAgreementCheck(fact, states),
    together: Object.keys(together),
    required: Object.keys(together).filter((name) => !(together[name] instanceof z.ZodOptional)),
  };
}

/** The member `states`, which only types that move something have. */
function statesMember(fact: AnyFact, states: Vocabulary["states"]): z.ZodRawShape {
  const [moved, mayBeMoved] = [Object.keys(fact.moves), Object.keys(fact.mayMove)];
  const items = [...moved, ...mayBeMoved].map((kind) =>
    z.strictObject({ kind: z.literal(kind), id: ID, version: VERSION, state: states.get(kind)?.state ?? z.never() }),
  );
  const [first, ...others] = items;
  if (first === undefined) return {};
  const list = z.array(z.discriminatedUnion("kind", [first, ...others]));
  return { states: moved.length === 0 ? list.min(1, "is empty").optional() : list };
}

function issueProblems(issue: z.core.$ZodIssue): readonly string[] {
  const { path, message } = issue;
  if (issue.code !== "unrecognized_keys") return [`${path.join(".")}: ${message}`];
  return issue.keys.map((key) => `${[...path, key].join(".")}: is not known`);
}

/** Members that stand together: which are missing, where there is one of them. */
function togetherProblems({ together, required }: TypeCheck, body: JsonObject): readonly string[] {
  const there = together.find((name) => body[name] !== undefined);
  if (there === undefined) return NONE;
  return required.filter((name) => body[name] === undefined).map((name) => `${name}: is missing beside ${there}`);
}

function thingsOf(states: JsonValue | undefined): readonly MovedThing[] {
  return Array.isArray(states) ? (states as unknown as readonly MovedThing[]) : [];
}
