import type { AreaName, Trace } from "./access.areas.ts";

/** Whose traces these are, as seen from a role; outermost last. */
export const RELATIONS = ["self", "own agent", "team mate", "other", "other organization"] as const;
export type Relation = (typeof RELATIONS)[number];

/** What somebody left behind. */
export interface Traces {
  /** The id of whoever did it. */
  readonly doer: string;
  readonly areas: Readonly<Record<AreaName, Trace>>;
}

/**
 * How a root field is tried. `list` is tried once, and what it tells of is found in the answer; `each` is tried with the
 * arguments of each person's traces. `whole` is for what shows nobody's traces: it is tried once, and has to show the
 * caller (`own`), or where the ledger of the caller's organization ends (`organization`).
 */
export type Probe = {
  readonly call: string;
  /** The area that is looked for in the answer; when left out, all of them but principals and policies. */
  readonly about?: AreaName;
} & ({ readonly how: "each" | "list" } | { readonly how: "whole"; readonly tells: "own" | "organization" });

/** The hashes of the last entries of a caller's ledger and of the other ones, as 64 hex digits. */
export interface Heads {
  readonly own: string;
  /** The caller's ledger, as an answer may name it that shows no entry. */
  readonly ledger?: string;
  readonly others: readonly string[];
}

/** JSON that an answer to `probe` has only if it shows these traces. */
export function marksOf({ about }: Probe, { areas }: Traces): readonly string[] {
  if (about !== undefined) return areas[about].marks;
  return Object.entries(areas).flatMap(([area, { marks }]) => (APART.has(area) ? [] : marks));
}

/** Areas of what others have in common: only probes about them look for it. */
const APART: ReadonlySet<string> = new Set(["principals", "policies"]);

const REACHES: Readonly<Record<string, readonly Relation[]>> = {
  none: [],
  own: ["self", "own agent"],
  team: ["self", "own agent", "team mate"],
  organization: ["self", "own agent", "team mate", "other"],
};

/** The reach that `seen` is, among the relations there are; anything else is written out. */
function nameOf(seen: readonly Relation[], there: readonly Relation[]): string {
  const found = Object.entries(REACHES).find(([, relations]) => {
    const wanted = relations.filter((relation) => there.includes(relation));
    return wanted.length === seen.length && wanted.every((relation) => seen.includes(relation));
  });
  return found?.[0] ?? RELATIONS.filter((relation) => seen.includes(relation)).join(" + ");
}

function showsLedger(text: string, { own, ledger }: Heads): boolean {
  return text.includes(own) || (ledger !== undefined && text.includes(`"ledger":"${ledger}"`));
}

/**
 * Whose traces `text`, the answer to `probe`, shows. Throws for a probe of a whole that shows nothing of what it is said to
 * tell of: it would be taken at its word.
 */
export function reachOf(probe: Probe, text: string, traces: ReadonlyMap<Relation, Traces>, heads: Heads): string {
  const seen = [...traces]
    .filter(([, target]) => marksOf(probe, target).some((mark) => text.includes(mark)))
    .map(([relation]) => relation);
  if (probe.how !== "whole") return nameOf(seen, [...traces.keys()]);
  const doer = traces.get("self")?.doer;
  const shown =
    probe.tells === "own" ? doer !== undefined && text.includes(`"id":"${doer}"`) : showsLedger(text, heads);
  if (!shown) {
    throw new Error(
      `${/^\w+/.exec(probe.call)} shows nothing that says it tells of ${probe.tells}: try it with "list" or "each", and ` +
        "leave something that it shows in access.areas.ts",
    );
  }
  const others: string[] = seen.filter((relation) => relation !== "self" && relation !== "own agent");
  const foreign = heads.others.some((hash) => text.includes(hash)) && !others.includes("other organization");
  if (foreign) others.push("other organization");
  return others.length === 0 ? probe.tells : `${probe.tells} and ${others.join(", ")}`;
}

/**
 * Throws unless somebody reaches something by a root field that reads: where nothing is ever found, nothing that should
 * not be found would be noticed. `refusals`: cells that say that the field is not for the role at all.
 */
export function checkFound(name: string, cells: readonly string[], refusals: readonly string[]): void {
  if (cells.some((cell) => cell !== "none" && !refusals.includes(cell))) return;
  throw new Error(`nobody finds anything by ${name}: leave something that it shows in access.areas.ts`);
}
