import { type DataSet, type Flow, KINDS, type Kind, type Known, type Read } from "./flow.ts";
import type { Random } from "./random.ts";
import { canBeReformatted, inOtherUnit, inProse, paraphrased, recased, reformatted } from "./rewrite.ts";

/** What of `known` a flow of this kind can carry, at least `fewest` values of it. */
function carriable(kind: Kind, known: readonly Known[]): { readonly from: readonly Known[]; readonly fewest: number } {
  const distinct = [...new Map(known.map((one) => [`${one.value}`, one])).values()];
  const told = distinct.filter(({ value }) => String(value).length >= 5);
  switch (kind) {
    case "re-formatted":
      return { from: told.filter(canBeReformatted), fewest: 2 };
    case "few of many":
      return { from: told, fewest: 8 };
    case "one in prose": {
      const from = told.filter(({ type }) => ["NAME", "EMAIL", "PHONE", "IDENTIFIER"].includes(type));
      return { from, fewest: 1 };
    }
    case "re-cased":
      return { from: told.filter(({ value }) => typeof value === "string"), fewest: 2 };
    case "names split or joined":
      return { from: distinct.filter(({ type }) => type === "NAME"), fewest: 1 };
    case "other units":
      return { from: told.filter(({ value }) => typeof value === "number"), fewest: 1 };
    default:
      return { from: told, fewest: kind === "verbatim" ? 2 : 0 };
  }
}

/** The values that the write has, of those that were chosen. */
function carried(
  random: Random,
  kind: Kind,
  from: readonly Known[],
): { chosen: readonly Known[]; values: readonly (string | number)[] } {
  const all = (chosen: readonly Known[], change: (one: Known) => string | number) => ({
    chosen,
    values: chosen.map(change),
  });
  switch (kind) {
    case "verbatim":
      return all(random.some(from, random.whole(2, 5)), ({ value }) => value);
    case "re-cased":
      return all(random.some(from, random.whole(2, 5)), (one) => recased(random, one));
    case "re-formatted":
      return all(random.some(from, random.whole(2, 5)), (one) => reformatted(random, one));
    case "few of many":
      return all(random.some(from, random.whole(2, 3)), ({ value }) => value);
    case "one in prose": {
      const [one] = random.some(from, 1) as [Known];
      return { chosen: [one], values: [inProse(random, one.value)] };
    }
    case "names split or joined": {
      const chosen = random.some(from, random.whole(1, 2));
      const values = chosen.flatMap(({ value, parts }) => {
        const name = String(value);
        // Read in parts: written as one, or turned. Read as one: written in parts.
        if (parts !== undefined) return [random.chance(0.5) ? name : `${parts[1]}, ${parts[0]}`];
        const cut = name.lastIndexOf(" ");
        return [name.slice(0, cut), name.slice(cut + 1)];
      });
      return { chosen, values };
    }
    case "other units":
      return all(random.some(from, random.whole(1, 3)), ({ value }) => inOtherUnit(random, Number(value)));
    case "paraphrase":
      return { chosen: [], values: [paraphrased(random)] };
    case "unrelated":
      return { chosen: [], values: [] };
  }
}

/** A flow of this kind in a new session of `data`. */
function plantOne(data: DataSet, kind: Kind, random: Random): Flow {
  for (let attempt = 0; attempt < 500; attempt += 1) {
    const reads = data.session(random);
    const able = [...reads.keys()].filter((at) => {
      const { from, fewest } = carriable(kind, (reads[at] as Read).known);
      return from.length >= fewest;
    });
    if (able.length === 0) continue;
    const source = random.pick(able);
    const { chosen, values } = carried(random, kind, carriable(kind, (reads[source] as Read).known).from);
    const { common, strange } = data.others(random);
    const text = JSON.stringify(reads.map(({ result }) => result));
    const others = [...common, ...strange.filter((value) => !text.includes(String(value)))];
    const write = data.write(random, [...values, ...(kind === "one in prose" || kind === "paraphrase" ? [] : others)]);
    const alike = [...reads.keys()].filter((at) => at !== source && sharesAny(reads[at] as Read, chosen));
    return { kind, reads, write, sources: kind === "unrelated" ? [] : [source], alike };
  }
  throw new Error(`no session of ${data.name} has what a flow "${kind}" needs`);
}

function sharesAny(read: Read, chosen: readonly Known[]): boolean {
  const text = JSON.stringify(read.result);
  const has = (value: string | number) => text.includes(JSON.stringify(value).replaceAll('"', ""));
  return chosen.some(({ value, parts }) => has(value) || parts?.every(has));
}

/** `count` flows of each kind, in an order that mixes them. */
export function plant(data: DataSet, count: number, random: Random): readonly Flow[] {
  const kinds = KINDS.flatMap((kind) => Array.from({ length: count }, () => ({ kind, by: random.next() })));
  return kinds.sort((one, other) => one.by - other.by).map(({ kind }) => plantOne(data, kind, random));
}
