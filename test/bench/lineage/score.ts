import { createHash } from "node:crypto";
import { createFingerprinter } from "../../../src/domain/lineage/fingerprints/digest.ts";
import { evidenceOf, OBSERVED_STRENGTH } from "../../../src/domain/lineage/fingerprints/evidence.ts";
import { createRarity } from "../../../src/domain/lineage/fingerprints/rarity.ts";
import { readSetOf, unpacked } from "../../../src/domain/lineage/fingerprints/read-set.ts";
import { writtenOf } from "../../../src/domain/lineage/fingerprints/written.ts";
import type { Flow, Kind, Read } from "./flow.ts";

export const METHODS = ["OBSERVED", "POSSIBLE", "latest earlier read"] as const;
export type Method = (typeof METHODS)[number];

/** What a method found, of flows of one kind. */
export interface Score {
  /** Links to reads that the write drew from, and to others. */
  right: number;
  wrong: number;
  /** Reads that a write drew from, and was not linked to. */
  missed: number;
}

export type Scores = ReadonlyMap<Kind, Readonly<Record<Method, Score>>>;

/** A link that is wrong, or is missing. */
export interface Mistake {
  readonly flow: Flow;
  readonly read: number;
  readonly isMissing: boolean;
  readonly strength: number;
  readonly shared: readonly string[];
}

const none = (): Score => ({ right: 0, wrong: 0, missed: 0 });

/** Compares each write with the reads of its session, of one of `principals` in turn, as the product does, in order: what is common is learned on the way. */
export async function score(
  flows: readonly Flow[],
  principals: number,
  onMistake: (mistake: Mistake) => void = () => undefined,
): Promise<Scores> {
  const fingerprinter = createFingerprinter(createHash("sha256").update("bench").digest());
  const rarity = createRarity();
  let reader = 0;
  const scores = new Map<Kind, Record<Method, Score>>();
  for (const flow of flows) {
    const { kind, reads, write, sources, alike } = flow;
    reader = (reader + 1) % principals;
    const sets = await Promise.all(reads.map((read) => setOf(read)));
    const written = writtenOf(write.arguments, fingerprinter);
    const evidence = sets.map((set) => evidenceOf(written, set, rarity));
    const earlier = [...reads.keys()].filter((at) => reads[at]?.platform !== write.platform);
    const links: Record<Method, readonly number[]> = {
      OBSERVED: earlier.filter((at) => (evidence[at]?.strength ?? 0) >= OBSERVED_STRENGTH),
      POSSIBLE: earlier,
      "latest earlier read": earlier.slice(-1),
    };
    const own = scores.get(kind) ?? { OBSERVED: none(), POSSIBLE: none(), "latest earlier read": none() };
    scores.set(kind, own);
    for (const method of METHODS) {
      for (const at of reads.keys()) {
        const isLinked = links[method].includes(at);
        const isSource = sources.includes(at);
        if (isLinked && isSource) own[method].right += 1;
        else if (isSource) own[method].missed += 1;
        else if (isLinked && !alike.includes(at)) own[method].wrong += 1;
        if (method !== "OBSERVED" || isLinked === isSource || (isLinked && alike.includes(at))) continue;
        const { shared, strength } = evidence[at] ?? { shared: [], strength: 0 };
        const told = shared.map(
          ({ path, start, end, weight, strength: left }) => `${path}[${start},${end}] ${weight}:${left.toFixed(1)}`,
        );
        onMistake({ flow, read: at, isMissing: isSource, strength, shared: told });
      }
    }
  }
  return scores;

  async function setOf(read: Read): Promise<ReadonlySet<number>> {
    const { bytes } = readSetOf(read.result, Buffer.byteLength(JSON.stringify(read.result)), fingerprinter);
    const source = createHash("sha256")
      .update(JSON.stringify([read.platform, read.tool, read.arguments]))
      .digest();
    rarity.note(bytes, { source: source.readUInt32BE(), reader });
    return new Set(unpacked(bytes));
  }
}

/** Adds `more` to `scores`. */
export function together(all: readonly Scores[]): Scores {
  const sums = new Map<Kind, Record<Method, Score>>();
  for (const scores of all) {
    for (const [kind, own] of scores) {
      const sum = sums.get(kind) ?? { OBSERVED: none(), POSSIBLE: none(), "latest earlier read": none() };
      sums.set(kind, sum);
      for (const method of METHODS) {
        for (const name of ["right", "wrong", "missed"] as const) sum[method][name] += own[method][name];
      }
    }
  }
  return sums;
}

/** Share of the links that are right; undefined where there is none. */
export function precision({ right, wrong }: Score): number | undefined {
  return right + wrong === 0 ? undefined : right / (right + wrong);
}

/** Share of the reads drawn from that are linked; undefined where there is none. */
export function recall({ right, missed }: Score): number | undefined {
  return right + missed === 0 ? undefined : right / (right + missed);
}

/** The sum over kinds. */
export function overall(scores: Scores, method: Method): Score {
  const sum = none();
  for (const own of scores.values()) {
    for (const name of ["right", "wrong", "missed"] as const) sum[name] += own[method][name];
  }
  return sum;
}
