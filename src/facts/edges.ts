import type { JsonObject, JsonValue } from "./canonical.ts";
import { listOf, objectOf } from "./members.ts";

/** An edge that the proposal of a write records: where its data was read, or may have been. What the entry does not say is null. */
export interface RecordedEdge {
  /** Its number among those of the entry, from 1. */
  readonly n: number;
  readonly kind: "OBSERVED" | "POSSIBLE";
  readonly sourceChain: string | null;
  readonly sourcePlatform: string | null;
  readonly sourceRegion: string | null;
  readonly sourceLedger: string;
  /** Position of the read there; of a POSSIBLE edge that of the latest one that counts. */
  readonly sourceSeq: string | null;
  /** Of an OBSERVED edge, as its entry has them. */
  readonly values: number | null;
  readonly strength: number | null;
  /** Of a POSSIBLE edge: how many reads of the chain count, the one at `sourceSeq` and those before it. */
  readonly reads: number | null;
}

/**
 * The edges that the entry with this body in `ledger` records, in the order of their numbers: to the reads that it is observed to have values
 * of, then to those that are possible, then to the chain that it names as its source and not among these, then to reads of other ledgers that
 * its policy depended on and that are not among these. `oc_edges` (sql/000004) says the same.
 */
export function edgesOf(ledger: string, body: JsonObject): readonly RecordedEdge[] {
  if (body.type !== "ACTION_PROPOSED") return [];
  const lineage = objectOf(body.lineage);
  const observed = listOf(lineage.observed).map(objectOf);
  const possible = listOf(lineage.possible).map(objectOf);
  const { sourceChain } = body;
  const isNamed = [...observed, ...possible].some(({ chain }) => chain === sourceChain);
  const others = listOf(objectOf(body.reads).known)
    .map(objectOf)
    .filter(({ ledger: other }) => typeof other === "string" && other !== ledger)
    .filter((read) => !possible.some((edge) => edge.ledger === read.ledger && edge.seq === read.seq));
  const edges = [
    ...observed.map((read) => ({ ...placeOf(ledger, "OBSERVED", read), ...numbersOf(read, "values", "strength") })),
    ...possible.map((read) => ({ ...placeOf(ledger, "POSSIBLE", read), ...numbersOf(read, "reads") })),
    ...(typeof sourceChain === "string" && !isNamed ? [placeOf(ledger, "POSSIBLE", { chain: sourceChain })] : []),
    ...others.map((read) => placeOf(ledger, "POSSIBLE", read)),
  ];
  return edges.map((edge, at) => ({ ...edge, n: at + 1 }));
}

/** A position that the database has room for; entries have it as text. */
const POSITION = /^[0-9]{1,18}$/;

function placeOf(own: string, kind: RecordedEdge["kind"], read: JsonObject): Omit<RecordedEdge, "n"> {
  return {
    kind,
    sourceChain: textOrNull(read.chain),
    sourcePlatform: textOrNull(read.platform),
    sourceRegion: textOrNull(read.region),
    sourceLedger: textOrNull(read.ledger) ?? own,
    sourceSeq: typeof read.seq === "string" && POSITION.test(read.seq) ? String(BigInt(read.seq)) : null,
    values: null,
    strength: null,
    reads: null,
  };
}

function numbersOf(read: JsonObject, ...names: readonly ("values" | "strength" | "reads")[]): Partial<RecordedEdge> {
  return Object.fromEntries(names.map((name) => [name, typeof read[name] === "number" ? read[name] : null]));
}

const textOrNull = (value: JsonValue | undefined) => (typeof value === "string" ? value : null);

/** What the database has of each edge, in the order of its columns (`src/ledger/edges.ts`). */
export type EdgeColumns = readonly (string | number | null)[];

/** The rows of `oc_lineage_edge` that are right for the entry with this body. */
export function edgeRowsOf(ledger: string, body: JsonObject, recordedAt: string): readonly EdgeColumns[] {
  const edges = edgesOf(ledger, body);
  if (edges.length === 0) return [];
  const write = [body.chain, body.platform, body.region, body.action].map(textOrNull);
  // What is not of a proposal has none.
  if (write.includes(null)) return [];
  return edges.map((edge) => {
    const { n, kind, sourceChain, sourcePlatform, sourceRegion, sourceLedger, sourceSeq } = edge;
    const source = [sourceChain, sourcePlatform, sourceRegion, sourceLedger, sourceSeq];
    return [n, kind, ...write, recordedAt, ...source, edge.values, edge.strength, edge.reads];
  });
}
