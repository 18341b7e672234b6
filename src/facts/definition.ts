import type { z } from "zod";
import type { Conditions, StateConditions } from "./conditions.ts";
import type { Decoded, Written } from "./schema.ts";

/**
 * A step of a projected state, by its `status`: from null where the entry makes the thing, and ANY for kinds that have no
 * status.
 */
export type Step = readonly [from: string | null, to: string];
export const ANY = "*";

/** A kind of thing whose state entries move: a row of `oc_state`. */
export interface StateDefinition<Kind extends string, State extends z.ZodType> {
  readonly kind: Kind;
  readonly description: string;
  /** What names a thing of this kind. */
  readonly id: string;
  /** The member of an entry that names the thing it moves, by its path; for some kinds only where the entry makes it. */
  readonly namedBy?: { readonly path: string; readonly whenMade?: boolean };
  readonly state: State;
  readonly conditions?: StateConditions;
}

/** What entries of one type say. */
export interface FactDefinition<
  Type extends string,
  Members extends z.ZodRawShape,
  Together extends z.ZodRawShape,
  Moves extends string,
  MayMove extends string,
> {
  readonly type: Type;
  readonly description: string;
  /** Beside those that every entry can have. */
  readonly members: Members;
  /** Further members, of which an entry has none, or all but those that are optional. */
  readonly together: Together;
  /** Steps of the kinds of which each entry of this type moves one thing. */
  readonly moves: { readonly [Kind in Moves]: readonly Step[] };
  /** Steps of further kinds. Of each an entry may make one thing, and move on another in whose place that one comes. */
  readonly mayMove: { readonly [Kind in MayMove]: readonly Step[] };
  /** Whether entries of the type can permit, widen, erase, prune or acknowledge something: a server signs each of them. */
  readonly permits: boolean;
  /**
   * Of a type that orders erasures: the path of the list of erased values, each `{"path":…,"seq":…}`, of an entry's position
   * and a dotted path of its body. A value that is not stored, and that no entry names this way, is a problem.
   */
  readonly erases: string | undefined;
  /** About the thing of which each entry of the type moves one. */
  readonly conditions: Conditions;
}

export function defineState<const Kind extends string, State extends z.ZodType>(
  kind: Kind,
  definition: Omit<StateDefinition<Kind, State>, "kind">,
): StateDefinition<Kind, State> {
  return { kind, ...definition };
}

export function defineFact<
  const Type extends string,
  Members extends z.ZodRawShape,
  Together extends z.ZodRawShape = Readonly<Record<never, never>>,
  Moves extends string = never,
  MayMove extends string = never,
>(
  type: Type,
  definition: {
    readonly description: string;
    readonly members: Members;
    readonly together?: Together;
    readonly moves?: { readonly [Kind in Moves]: readonly Step[] };
    readonly mayMove?: { readonly [Kind in MayMove]: readonly Step[] };
    readonly permits?: boolean;
    readonly erases?: string;
    readonly conditions?: Conditions;
  },
): FactDefinition<Type, Members, Together, Moves, MayMove> {
  const { description, members, permits = false, erases, conditions = {} } = definition;
  const together = definition.together ?? ({} as Together);
  const moves = definition.moves ?? ({} as { readonly [Kind in Moves]: readonly Step[] });
  const mayMove = definition.mayMove ?? ({} as { readonly [Kind in MayMove]: readonly Step[] });
  return { type, description, members, together, moves, mayMove, permits, erases, conditions };
}

/** Every step from one of `from` to one of `to`. */
export function steps(from: readonly string[], to: readonly string[]): readonly Step[] {
  return from.flatMap((one) => to.map((other): Step => [one, other]));
}

/** The step that makes a thing. */
export function made(...to: readonly string[]): readonly Step[] {
  return to.map((status): Step => [null, status]);
}

/** Making and changing a thing of a kind that has no status. */
export const anyStep: readonly Step[] = [
  [null, ANY],
  [ANY, ANY],
];

// biome-ignore lint/suspicious/noExplicitAny: stands for every definition, whatever its members
export type AnyFact = FactDefinition<string, any, any, any, any>;
export type AnyState = StateDefinition<string, z.ZodType>;

/** The states of `Kinds` as an entry lists them. */
export type StateItem<States extends AnyState, Kinds extends string> = {
  [Kind in Kinds]: {
    readonly kind: Kind;
    readonly id: string;
    readonly version: number;
    // There is nothing erasable in a state.
    readonly state: Decoded<z.infer<Extract<States, { readonly kind: Kind }>["state"]>>;
  };
}[Kinds];

type Members<Shape extends z.ZodRawShape> = z.infer<z.ZodObject<Shape>>;
/** An object without members has any key, all of them `never`. */
type Own<Shape, Key> = Key extends keyof Shape ? Key : never;
type WrittenMembers<Shape extends z.ZodRawShape> = {
  readonly [Key in keyof Members<Shape> as Own<Shape, Key>]: Written<Members<Shape>[Key]>;
};
type ToldMembers<Shape extends z.ZodRawShape> = {
  readonly [Key in keyof Members<Shape> as Own<Shape, Key>]: Decoded<Members<Shape>[Key]>;
};
type OrNone<Shape> = Shape | { readonly [Key in keyof Shape]?: undefined };

type IsOne<Kind extends string, All extends string = Kind> = Kind extends string
  ? [All] extends [Kind]
    ? true
    : false
  : never;
/** The one state of a kind that is moved comes first, those of kinds that may be moved after it. */
type StatesList<States extends AnyState, Moves extends string, MayMove extends string> =
  IsOne<Moves> extends true
    ? readonly [StateItem<States, Moves>, ...([MayMove] extends [never] ? [] : readonly StateItem<States, MayMove>[])]
    : readonly StateItem<States, Moves | MayMove>[];
type StatesMember<States extends AnyState, Fact extends AnyFact> = [keyof Fact["moves"]] extends [never]
  ? [keyof Fact["mayMove"]] extends [never]
    ? unknown
    : { readonly states?: readonly StateItem<States, keyof Fact["mayMove"] & string>[] }
  : { readonly states: StatesList<States, keyof Fact["moves"] & string, keyof Fact["mayMove"] & string> };

/** The members that are an entry's own, as they are written: without those that say who acted. */
export type DraftOf<States extends AnyState, Fact extends AnyFact> = Fact extends AnyFact
  ? { readonly type: Fact["type"]; readonly session?: string } & WrittenMembers<Fact["members"]> &
      OrNone<WrittenMembers<Fact["together"]>> &
      StatesMember<States, Fact>
  : never;

/** The same as they are read. */
export type ToldOf<States extends AnyState, Fact extends AnyFact> = Fact extends AnyFact
  ? { readonly type: Fact["type"] } & ToldMembers<Fact["members"]> &
      OrNone<ToldMembers<Fact["together"]>> &
      StatesMember<States, Fact>
  : never;
