import type { JsonValue } from "../../facts/canonical.ts";
import type { ReadScope } from "../read-scope.ts";
import { bucketsOfColumns, bucketsOfPart, bucketsOfToken, type TokenKind } from "./bits.ts";
import { type Form, formOf } from "./facts.ts";
import { type EntryFilter, given, wordsOf } from "./filter.ts";
import { fold } from "./fold.ts";

/**
 * A condition, as the index knows it: a block may hold an entry that meets it if it has a bit in every bucket of one of the
 * alternatives.
 */
export type Clause = readonly (readonly number[])[];

/** Buckets of all texts together: enough to exclude a block, and few enough to be read quickly. */
const ENOUGH_BUCKETS = 48;
/** More alternatives than this are not looked up: each costs several buckets. */
const ENOUGH_ALTERNATIVES = 32;

/** The clauses of all conditions of `filter`, and of `scopes`, that the index can test. */
export function clausesOf(filter: EntryFilter, scopes?: readonly ReadScope[]): readonly Clause[] {
  const id = (kind: TokenKind, value: string | null | undefined): readonly Clause[] =>
    given(value) ? [[bucketsOfToken(kind, value.toLowerCase())]] : [];
  return [
    ...columnClauses(filter),
    ...id("session", filter.sessionId),
    ...id("chain", filter.chainHash),
    ...id("sourceChain", filter.sourceChainHash),
    ...(given(filter.contains) ? [formsThatContain(filter.contains).map((form) => bucketsOfToken("form", form))] : []),
    ...textClauses(filter),
    ...(scopes === undefined ? [] : scopeClauses(scopes)),
  ];
}

/** The values of all columns at once, so that one entry of a block has them all; for each type if types are given. */
function columnClauses({ types, platform, tool, effect, actorId, onBehalfOfId }: EntryFilter): readonly Clause[] {
  const values = { platform, tool, effect, actor: actorId, onBehalfOf: onBehalfOfId };
  const typed = given(types) && types.length <= ENOUGH_ALTERNATIVES;
  if (!typed && !Object.values(values).some(given)) return [];
  const alternatives = typed ? types.map((type) => ({ ...values, type })) : [values];
  return [alternatives.map(bucketsOfColumns)];
}

/** An array also contains each of its scalars. */
function formsThatContain(fragment: JsonValue): readonly Form[] {
  const form = formOf(fragment);
  return form === "scalar" ? ["scalar", "array"] : [form];
}

/** An entry is in scope by its own members, or because the action it is about is. */
function scopeClauses(scopes: readonly ReadScope[]): readonly Clause[] {
  const alternatives = scopes.flatMap((scope) => {
    if ("askedGroups" in scope) return scope.askedGroups.map((group) => bucketsOfToken("asked", group));
    const { actorIds, people } = scope;
    const named = people?.flatMap((person) => (person === null ? [] : [person]));
    const [own, about, ids] =
      named !== undefined && named.length === people?.length
        ? (["onBehalfOf", "aboutOnBehalfOf", named] as const)
        : (["actor", "aboutActor", actorIds ?? []] as const);
    return ids.flatMap((id) => [bucketsOfColumns({ [own]: id }), bucketsOfToken(about, id)]);
  });
  return alternatives.length > ENOUGH_ALTERNATIVES ? [] : [[...alternatives, bucketsOfToken("aboutUnknown", "")]];
}

/** Each condition on texts as parts that all occur in what the index has of an entry that meets it. */
function textClauses({ actorEmail, text, contains }: EntryFilter): readonly Clause[] {
  const parts = [
    ...[...wordsOf(text), ...(given(actorEmail) ? [actorEmail] : [])].flatMap(partsOfWord),
    ...(given(contains) ? [...partsOfFragment(contains)].map(fold) : []),
  ];
  // The longest first: they exclude most.
  const longest = [...new Set(parts)].toSorted((one, other) => other.length - one.length);
  const clauses: Clause[] = [];
  let buckets = 0;
  for (const part of longest) {
    const some = bucketsOfPart(part);
    if (some.length === 0 || buckets + some.length > ENOUGH_BUCKETS) continue;
    buckets += some.length;
    clauses.push([some]);
  }
  return clauses;
}

/** Without what separates the values and members of JSON text: the index writes it in another way than the database. */
function partsOfWord(word: string): readonly string[] {
  const written = JSON.stringify(word).slice(1, -1);
  return fold(written).split(/[{}[\],:"\s]+/u);
}

/** Texts that occur in the RFC 8785 text of a value that contains `fragment`. */
function* partsOfFragment(fragment: JsonValue): Generator<string> {
  if (typeof fragment !== "object" || fragment === null) {
    yield JSON.stringify(fragment);
    return;
  }
  if (Array.isArray(fragment)) {
    for (const member of fragment) yield* partsOfFragment(member);
    return;
  }
  for (const [key, member] of Object.entries(fragment)) {
    if (member === undefined) continue;
    const scalar = typeof member !== "object" || member === null;
    yield `${JSON.stringify(key)}:${scalar ? JSON.stringify(member) : Array.isArray(member) ? "[" : "{"}`;
    if (!scalar) yield* partsOfFragment(member);
  }
}
