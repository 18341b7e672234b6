import type { JsonObject } from "../canonical.ts";
import { ANY, type AnyFact, type Step } from "../definition.ts";
import type { Vocabulary } from "../vocabulary.ts";

/** An item of the `states` of a body. */
export interface MovedThing {
  readonly kind: string;
  readonly id: string;
  readonly version: number;
  readonly state: JsonObject;
}

/** What is wrong with the things that a body moves, each with its path. The members of each are right already. */
export type MovesCheck = (body: JsonObject, things: readonly MovedThing[]) => readonly string[];

/** What entries of one type do with things of one kind. */
interface Move {
  readonly kind: string;
  /** Each entry moves one thing; otherwise it may make one, and move on another in whose place that one comes. */
  readonly always: boolean;
  /** Statuses of things that are made, and of those that are moved on. */
  readonly made: ReadonlySet<string>;
  readonly movedOn: ReadonlySet<string>;
  readonly namedBy: string;
  readonly way: readonly string[];
  readonly namedWhenMade: boolean;
}

const NONE: readonly string[] = [];

export function createMovesCheck({ type, moves, mayMove }: AnyFact, states: Vocabulary["states"]): MovesCheck {
  const toMove = (always: boolean, [kind, steps]: readonly [string, readonly Step[]]): Move => {
    const { path: namedBy = "", whenMade: namedWhenMade = false } = states.get(kind)?.namedBy ?? {};
    const made = new Set(steps.filter(([from]) => from === null).map(([, to]) => to));
    const movedOn = new Set(steps.filter(([from]) => from !== null).map(([, to]) => to));
    return { kind, always, made, movedOn, namedBy, way: namedBy.split("."), namedWhenMade };
  };
  const all = [
    ...Object.entries<readonly Step[]>(moves).map((entry) => toMove(true, entry)),
    ...Object.entries<readonly Step[]>(mayMove).map((entry) => toMove(false, entry)),
  ];

  /** Whether there are as many things of each kind as there may be, in order. */
  const isInPlace = (things: readonly MovedThing[]): boolean => {
    let at = 0;
    for (const { kind, always } of all) {
      const first = things[at];
      if (first?.kind !== kind) {
        if (always) return false;
        continue;
      }
      at += 1;
      if (always) continue;
      if (first.version !== 1) return false;
      const second = things[at];
      if (second?.kind !== kind) continue;
      if (second.version === 1 || second.id === first.id) return false;
      at += 1;
    }
    return at === things.length;
  };

  return (body, things) => {
    let problems: string[] | undefined;
    if (!isInPlace(things)) problems = placeProblems(type, all, things);
    for (const thing of things) {
      const { kind, id, version, state } = thing;
      const move = all.find((one) => one.kind === kind);
      if (move === undefined) continue;
      const status = typeof state.status === "string" ? state.status : undefined;
      if (!(version === 1 ? move.made : move.movedOn).has(status ?? ANY)) {
        problems ??= [];
        problems.push(
          `states: an entry of type ${type} leads no ${kind} of version ${version} to ${status ?? "a state"}`,
        );
      }
      if (move.namedBy !== "" && (!move.namedWhenMade || version === 1) && memberAt(body, move.way) !== id) {
        problems ??= [];
        problems.push(`${move.namedBy}: is not the ${kind} that the entry moves`);
      }
    }
    return problems ?? NONE;
  };
}

/** Why things are not those that an entry of `type` moves, or not in order. */
function placeProblems(type: string, all: readonly Move[], things: readonly MovedThing[]): string[] {
  const problems: string[] = [];
  for (const { kind, always } of all) {
    const versions = things.filter((thing) => thing.kind === kind).map(({ version }) => version);
    const made = versions.filter((version) => version === 1).length;
    const movedOn = versions.length - made;
    if (always && versions.length !== 1) problems.push(`states: an entry of type ${type} moves one ${kind}`);
    if (always) continue;
    if (made > 1) problems.push(`states: an entry of type ${type} makes one ${kind} at most`);
    if (movedOn > 1 || made < movedOn) {
      problems.push(`states: an entry of type ${type} moves on a ${kind} only to make the one that comes in its place`);
    }
  }
  if (new Set(things.map(({ kind, id }) => `${kind} ${id}`)).size !== things.length) {
    problems.push("states: a thing is moved twice");
  }
  if (problems.length > 0) return problems;
  const order = all.map(({ kind }) => kind).join(", ");
  return [`states: stand in another order than ${order}, a thing that is made before the one in whose place it comes`];
}

function memberAt(body: JsonObject, way: readonly string[]): unknown {
  let value: unknown = body;
  for (const key of way) value = (value as JsonObject | undefined)?.[key];
  return value;
}
