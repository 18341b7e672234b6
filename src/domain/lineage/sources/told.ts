import type { JsonObject, JsonValue } from "../../../facts/canonical.ts";
import type { Fingerprint } from "../fingerprints/digest.ts";
import type { Evidence, Shared } from "../fingerprints/evidence.ts";
import { type ArgumentSource, createPlatforms } from "./argument-sources.ts";
import type { Match, Matches } from "./matches.ts";
import type { RecentRead } from "./recent-reads.ts";

/** Values that an edge names at most, arguments whose sources are named, and those without any: conditions read lists of a thousand. */
const MOST_SHARED = 50;
const MOST_ARGUMENTS = 200;
const MOST_UNSOURCED = 999;

/** What a read and a write share, as values of arguments are named: nothing of what was read, which may be erased before this is. */
export function toldEdge(read: RecentRead, { shared }: Evidence, matches: Matches | undefined): JsonObject {
  return {
    seq: String(read.seq),
    ...(read.completed === undefined ? {} : { completed: String(read.completed) }),
    shared: shared.slice(0, MOST_SHARED).map((one) => toldValue(one, matches?.get(one.fingerprint))),
    more: Math.max(0, shared.length - MOST_SHARED),
  };
}

function toldValue({ path, and, start, end, part, strength, rarity, isSaid }: Shared, match?: Match): JsonObject {
  const place = { path, start, end, part, strength: Math.round(strength * 10) / 10, rarity };
  return { ...place, ...(and === undefined ? {} : { and }), ...(isSaid ? { said: true } : {}), ...match };
}

/** Where an argument, or a value within one, is from, as the entry of the proposal says it. */
export type SourcedArgument = {
  /** RFC 6901 pointer into the arguments. */
  readonly path: string;
  /** Of two values that are one in what was read: where the second is. */
  readonly and?: string;
  /** Its place within a text, in UTF-16 code units. */
  readonly start?: number;
  readonly end?: number;
  /** The person asked for it, as the agent reports it. */
  readonly said?: true;
  /** The read that has it: position of the entry that completed it, and where that is known the number of the value in its result, from 1. */
  readonly seq?: string;
  readonly leaf?: number;
  readonly match?: Match["match"];
  /** Where it was read. */
  readonly platforms?: readonly string[];
  /** All of these are untrusted, and the person did not ask for it. */
  readonly untrusted?: true;
  /** It is too short or too common to tell where it is from. */
  readonly common?: true;
};

/** The sources of arguments in `evidence`, as an entry has it; none where it has none. */
export function sourcedArgumentsIn(evidence: JsonValue | undefined): readonly SourcedArgument[] {
  return listIn(evidence, "arguments") as unknown as readonly SourcedArgument[];
}

/** The arguments without a known source in `evidence`. */
export function unsourcedIn(evidence: JsonValue | undefined): readonly string[] {
  return listIn(evidence, "unsourced") as readonly string[];
}

/** What the entry of a write says of the values that it shares with one read. */
export interface ToldEdge {
  /** Position of the entry that has what was read. */
  readonly completed?: string;
  readonly shared?: readonly JsonObject[];
}

/** What observed edges share with the arguments in `evidence`, in their order. */
export function toldEdgesIn(evidence: JsonValue | undefined): readonly ToldEdge[] {
  return listIn(evidence, "observed") as unknown as readonly ToldEdge[];
}

function listIn(evidence: JsonValue | undefined, name: string): readonly JsonValue[] {
  if (typeof evidence !== "object" || evidence === null || Array.isArray(evidence)) return [];
  const list = (evidence as JsonObject)[name];
  return Array.isArray(list) ? list : [];
}

/** The paths of arguments without a known source, the shortest first, so that none is hidden behind many; an empty one at the end: there are more. */
export function unsourcedPaths(sources: readonly ArgumentSource[]): readonly string[] {
  const paths = sources.flatMap(({ path, reads, isSaid, isCommon }) =>
    reads.length > 0 || isSaid || isCommon ? [] : [path],
  );
  const sorted = [...new Set(paths)].sort((one, other) => one.length - other.length || (one < other ? -1 : 1));
  return sorted.length <= MOST_UNSOURCED ? sorted : [...sorted.slice(0, MOST_UNSOURCED), ""];
}

/**
 * At most 200 of `sources`, first those that matter most: values from untrusted platforms alone, then those without any source. `more`: how many are left
 * out.
 */
export function sourcedArguments(
  sources: readonly ArgumentSource[],
  untrusted: ReadonlySet<string>,
  matches: ReadonlyMap<RecentRead, Matches>,
): { readonly arguments: readonly SourcedArgument[]; readonly more: number } {
  const platformsOf = createPlatforms();
  const isDoubtful = ({ reads, isSaid, isCommon }: ArgumentSource) =>
    !isSaid && !isCommon && reads.length > 0 && platformsOf(reads).every((name) => untrusted.has(name));
  const order = (source: ArgumentSource) =>
    isDoubtful(source) ? 0 : source.isCommon ? 3 : source.reads.length === 0 && !source.isSaid ? 1 : 2;
  const kept =
    sources.length <= MOST_ARGUMENTS
      ? sources
      : sources.toSorted((one, other) => order(one) - order(other)).slice(0, MOST_ARGUMENTS);
  const told = kept.map((source): SourcedArgument => {
    const { path, and, span, fingerprint, isSaid, reads, isCommon } = source;
    const read = chosen(reads, untrusted, matches, fingerprint);
    const match = read && fingerprint !== undefined ? matches.get(read)?.get(fingerprint) : undefined;
    return {
      path,
      ...(and === undefined ? {} : { and }),
      ...(span === undefined ? {} : { start: span[0], end: span[1] }),
      ...(isSaid ? { said: true } : {}),
      ...(read === undefined ? {} : { seq: String(read.completed ?? read.seq), platforms: platformsOf(reads) }),
      ...match,
      ...(isDoubtful(source) ? { untrusted: true } : {}),
      ...(isCommon ? { common: true } : {}),
    };
  });
  return { arguments: told, more: sources.length - kept.length };
}

/** Of the reads that have a value: one that is trusted, of which it is known where it is, the latest. */
function chosen(
  reads: readonly RecentRead[],
  untrusted: ReadonlySet<string>,
  matches: ReadonlyMap<RecentRead, Matches>,
  fingerprint: Fingerprint | undefined,
): RecentRead | undefined {
  const rank = (read: RecentRead) =>
    (untrusted.has(read.platform) ? 0 : 2) + (matches.get(read)?.has(fingerprint ?? -1) === true ? 1 : 0);
  return reads.reduce<RecentRead | undefined>(
    (best, read) => (best === undefined || rank(read) >= rank(best) ? read : best),
    undefined,
  );
}
