import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLError,
  Kind,
  type SelectionSetNode,
} from "graphql";
import { graphqlError } from "./errors.ts";

/** What a document may amount to with its fragments spread out. */
export interface ShapeBudget {
  /** UTF-16 code units of the document. */
  readonly length: number;
  readonly operations: number;
  /** Nested selections of an operation; introspection does not count. */
  readonly depth: number;
  /** Aliases of an operation, those of the fragments it spreads counted at every spread. */
  readonly aliases: number;
  readonly rootFields: number;
  /** Fields of an operation: what bounds everything that walks it. */
  readonly fields: number;
  /** Fields and fragments of all definitions together, each with its own fragments spread out. */
  readonly selections: number;
  /** Comparisons of fields with one another that validation would make: see `comparisonsIn`. */
  readonly comparisons: number;
}

export const SHAPE_BUDGET: ShapeBudget = {
  length: 1_000_000,
  operations: 20,
  depth: 12,
  aliases: 30,
  rootFields: 20,
  fields: 5_000,
  selections: 20_000,
  comparisons: 20_000,
};

/** For callers without a token, who may ask for the name of a type and for nothing else. */
export const ANONYMOUS_SHAPE_BUDGET: ShapeBudget = {
  length: 2_000,
  operations: 1,
  depth: 4,
  aliases: 2,
  rootFields: 4,
  fields: 20,
  selections: 40,
  comparisons: 40,
};

/** What an operation or a fragment amounts to with every fragment in it spread out. */
interface Size {
  readonly depth: number;
  readonly aliases: number;
  readonly rootFields: number;
  readonly fields: number;
  /** Fields, spreads and inline fragments. */
  readonly selections: number;
}
const nothing: Size = { depth: 0, aliases: 0, rootFields: 0, fields: 0, selections: 0 };

type Fragments = ReadonlyMap<string, FragmentDefinitionNode>;

/**
 * Why `document` is refused before it is validated, because validating it could take long: it is larger than `budget`
 * (QUERY_TOO_COMPLEX), or its fragments spread themselves (BAD_USER_INPUT). Takes time in proportion to the text and to the
 * budget, whatever the fragments multiply to.
 */
export function shapeProblem(document: DocumentNode, budget: ShapeBudget): GraphQLError | undefined {
  const length = document.loc?.source.body.length ?? 0;
  if (length > budget.length) return tooLarge(`${length} characters; the limit is ${budget.length}`);
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const measure = createMeasure(fragments);
  let operations = 0;
  let selections = 0;
  for (const definition of document.definitions) {
    if (!("selectionSet" in definition) || definition.selectionSet === undefined) continue;
    const size = measure.sizeOf(definition.selectionSet);
    selections += size.selections;
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    operations += 1;
    const problem = excess(size, budget);
    if (problem !== undefined) return tooLarge(problem);
  }
  if (measure.circular !== undefined) {
    const message = `The fragment ${measure.circular} spreads itself.`;
    return graphqlError("BAD_USER_INPUT", message, { http: { status: 400, spec: false } });
  }
  if (operations > budget.operations) return tooLarge(`${operations} operations; the limit is ${budget.operations}`);
  if (selections > budget.selections) {
    return tooLarge(`${selections} selections with fragments spread out; the limit is ${budget.selections}`);
  }
  let comparisons = 0;
  for (const definition of document.definitions) {
    if (!("selectionSet" in definition) || definition.selectionSet === undefined) continue;
    comparisons += comparisonsIn([definition.selectionSet], fragments, budget.comparisons - comparisons);
    if (comparisons > budget.comparisons) {
      return tooLarge("too many fields of the same name, or fragments, in one place: ask for each field once");
    }
  }
  return undefined;
}

function tooLarge(problem: string): GraphQLError {
  return graphqlError("QUERY_TOO_COMPLEX", `The operation is too large: ${problem}.`);
}

function excess({ depth, aliases, rootFields, fields }: Size, budget: ShapeBudget): string | undefined {
  if (depth > budget.depth) return `selections are nested ${depth} deep; the limit is ${budget.depth}`;
  if (aliases > budget.aliases) return `${aliases} aliases; the limit is ${budget.aliases}`;
  if (rootFields > budget.rootFields) return `${rootFields} fields at the root; the limit is ${budget.rootFields}`;
  return fields > budget.fields ? `${fields} fields; the limit is ${budget.fields}` : undefined;
}

interface Measure {
  sizeOf(set: SelectionSetNode): Size;
  /** The name of a fragment that was found to spread itself. */
  readonly circular: string | undefined;
}

/** Measures each fragment once, so that a document in which fragments double at every level costs no more than its text. */
function createMeasure(fragments: Fragments): Measure {
  /** Undefined while a fragment is being measured. */
  const measured = new Map<string, Size | undefined>();
  let circular: string | undefined;

  const sizeOfFragment = (name: string): Size => {
    const known = measured.get(name);
    if (known !== undefined) return known;
    if (measured.has(name)) {
      circular = name;
      return nothing;
    }
    const fragment = fragments.get(name);
    if (fragment === undefined) return nothing;
    measured.set(name, undefined);
    const size = sizeOf(fragment.selectionSet);
    measured.set(name, size);
    return size;
  };

  const sizeOf = (set: SelectionSetNode): Size => {
    let { depth, aliases, rootFields, fields, selections } = nothing;
    for (const selection of set.selections) {
      selections += 1;
      if (selection.kind === Kind.FIELD) {
        rootFields += 1;
        fields += 1;
        if (selection.alias !== undefined) aliases += 1;
        const within = selection.selectionSet === undefined ? nothing : sizeOf(selection.selectionSet);
        const exempt = selection.name.value.startsWith("__");
        depth = Math.max(depth, exempt ? 0 : within.depth + 1);
        aliases += within.aliases;
        fields += within.fields;
        selections += within.selections;
      } else {
        const within =
          selection.kind === Kind.FRAGMENT_SPREAD
            ? sizeOfFragment(selection.name.value)
            : sizeOf(selection.selectionSet);
        depth = Math.max(depth, within.depth);
        aliases += within.aliases;
        rootFields += within.rootFields;
        fields += within.fields;
        selections += within.selections;
      }
    }
    return { depth, aliases, rootFields, fields, selections };
  };
  return {
    sizeOf,
    get circular() {
      return circular;
    },
  };
}

/** Characters of arguments that take as long to compare as a field. */
const COMPARED_CHARACTERS = 50;

/**
 * What comparing costs that rule 5.3.2 of the GraphQL specification (field selection merging) prescribes, at most: every field with
 * every other of the same response name, with their arguments; what is selected in them together as one; and every fragment with
 * every other. Stops counting above `most`.
 */
function comparisonsIn(sets: readonly SelectionSetNode[], fragments: Fragments, most: number): number {
  const fields = new Map<string, FieldNode[]>();
  const spread = new Set<string>();
  const collect = ({ selections }: SelectionSetNode): void => {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        const name = (selection.alias ?? selection.name).value;
        const same = fields.get(name);
        if (same === undefined) fields.set(name, [selection]);
        else same.push(selection);
      } else if (selection.kind === Kind.INLINE_FRAGMENT) collect(selection.selectionSet);
      else {
        const { value: name } = selection.name;
        spread.add(name);
        const fragment = fragments.get(name);
        if (fragment !== undefined) collect(fragment.selectionSet);
      }
    }
  };
  for (const set of sets) collect(set);
  let count = (spread.size * (spread.size - 1)) / 2;
  for (const same of fields.values()) {
    if (same.length > 1) count += ((same.length - 1) * same.reduce((sum, field) => sum + weightOf(field), 0)) / 2;
    if (count > most) return count;
    const within = same.flatMap(({ selectionSet }) => selectionSet ?? []);
    if (within.length > 0) count += comparisonsIn(within, fragments, most - count);
  }
  return count;
}

function weightOf({ arguments: given = [] }: FieldNode): number {
  const characters = (given.at(-1)?.loc?.end ?? 0) - (given[0]?.loc?.start ?? 0);
  return 1 + characters / COMPARED_CHARACTERS;
}
