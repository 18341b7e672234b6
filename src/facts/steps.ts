import { ANY, type Step } from "./definition.ts";
import { FACTS } from "./registry.ts";

/** The steps by which entries of `type` may move things of `kind`; undefined where they may not move any. */
export function stepsOf(type: string, kind: string): readonly Step[] | undefined {
  const definition = FACTS.get(type);
  return definition?.moves[kind] ?? definition?.mayMove[kind];
}

/**
 * Whether an entry of `type` may move a thing of `kind` from status `before` to `after`. `before` is null where the entry
 * makes the thing, undefined where its kind has no status.
 */
export function isLegalStep(
  type: string,
  kind: string,
  before: string | null | undefined,
  after: string | undefined,
): boolean {
  const from = before === undefined ? ANY : before;
  return stepsOf(type, kind)?.some(([one, other]) => one === from && other === (after ?? ANY)) === true;
}
