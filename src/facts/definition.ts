import type { z } from "zod";
import type { Told, Written } from "./schema.ts";

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
}

/** What entries of one type say. */
export interface FactDefinition<
  Type extends string,
  Members extends z.ZodRawShape,
  Moves extends string,
  MayMove extends string,
> {
  readonly type: Type;
  readonly description: string;
  /** Beside those that every entry can have. */
  readonly members: Members;
  /** Steps of the kinds of which each entry of this type moves one thing. */
  readonly moves: { readonly [Kind in Moves]: readonly Step[] };
  /** Steps of further kinds, of which an entry may move things. */
  readonly mayMove: { readonly [Kind in MayMove]: readonly Step[] };
  /** Whether the fact can permit, widen, erase, prune or acknowledge. */
  readonly permits: boolean;
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
  Moves extends string = never,
  MayMove extends string = never,
>(
  type: Type,
  definition: {
    readonly description: string;
    readonly members: Members;
    readonly moves?: { readonly [Kind in Moves]: readonly Step[] };
    readonly mayMove?: { readonly [Kind in MayMove]: readonly Step[] };
    readonly permits?: boolean;
  },
): FactDefinition<Type, Members, Moves, MayMove> {
  const { description, members, permits = false } = definition;
  const moves = definition.moves ?? ({} as { readonly [Kind in Moves]: readonly Step[] });
  const mayMove = definition.mayMove ?? ({} as { readonly [Kind in MayMove]: readonly Step[] });
  return { type, description, members, moves, mayMove, permits };
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
export type AnyFact = FactDefinition<string, any, any, any>;
export type AnyState = StateDefinition<string, z.ZodType>;

/** The states of `Kinds` as an entry lists them. */
export type StateItem<States extends AnyState, Kinds extends string> = {
  [Kind in Kinds]: {
    readonly kind: Kind;
    readonly id: string;
    readonly version: number;
    readonly state: z.infer<Extract<States, { readonly kind: Kind }>["state"]>;
  };
}[Kinds];

type Members<Fact extends AnyFact> = z.infer<z.ZodObject<Fact["members"]>>;
/** An object without members has any key, all of them `never`. */
type Own<Fact extends AnyFact, Key> = Key extends keyof Fact["members"] ? Key : never;
type MovedKinds<Fact extends AnyFact> = (keyof Fact["moves"] | keyof Fact["mayMove"]) & string;

/** The members that are an entry's own, as they are written: without those that say who acted. */
export type DraftOf<States extends AnyState, Fact extends AnyFact> = Fact extends AnyFact
  ? { readonly type: Fact["type"]; readonly session?: string } & {
      readonly [Key in keyof Members<Fact> as Own<Fact, Key>]: Written<Members<Fact>[Key]>;
    } & ([MovedKinds<Fact>] extends [never]
        ? unknown
        : { readonly states: readonly Written<StateItem<States, MovedKinds<Fact>>>[] })
  : never;

/** The same as they are read. */
export type ToldOf<States extends AnyState, Fact extends AnyFact> = Fact extends AnyFact
  ? { readonly type: Fact["type"] } & {
      readonly [Key in keyof Members<Fact> as Own<Fact, Key>]: Told<Members<Fact>[Key]>;
    } & ([MovedKinds<Fact>] extends [never]
        ? unknown
        : { readonly states: readonly StateItem<States, MovedKinds<Fact>>[] })
  : never;
