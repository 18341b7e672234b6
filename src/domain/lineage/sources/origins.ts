import { setImmediate } from "node:timers/promises";
import type { JsonValue } from "../../../facts/canonical.ts";
import type { LedgerId } from "../../../facts/entry.ts";
import type { Fact } from "../../../facts/registry.ts";
import type { Queryable } from "../../../ledger/read.ts";
import type { Principal } from "../../identity/principal.ts";
import type { FingerprintMaker } from "../fingerprints/apart.ts";
import type { Fingerprint } from "../fingerprints/digest.ts";
import { evidenceOf, OBSERVED_STRENGTH } from "../fingerprints/evidence.ts";
import type { Rarity } from "../fingerprints/rarity.ts";
import { foundIn } from "../fingerprints/read-set.ts";
import type { Written } from "../fingerprints/written.ts";
import type { PossibleReads } from "../possible-reads.ts";
import { type ArgumentSource, argumentSources, type FoundRead, groupsOf } from "./argument-sources.ts";
import { createFindAsked } from "./asked.ts";
import { createLearnedRarity } from "./learned-rarity.ts";
import { createFindMatches, type Edge, type Shares } from "./matches.ts";
import { edgesAbroad, edgesWithin, foremost, isUnknown, placeOf } from "./possible-edges.ts";
import type { FindRecentReads, RecentRead, RecentReads } from "./recent-reads.ts";
import type { FingerprintKeys } from "./recorder.ts";
import { type SourcedArgument, sourcedArguments, toldEdge, unsourcedPaths } from "./told.ts";

/** A write that is proposed. */
export interface ProposedWrite {
  readonly platform: string;
  /** RFC 8785 text. */
  readonly arguments: string;
  /** What the person asked for. */
  readonly userRequest?: string | undefined;
  /** Platforms of which it is known that strangers write what is read there. */
  readonly untrusted: ReadonlySet<string>;
  /** What was read in every region; undefined: there is but this one. */
  readonly everywhere?: PossibleReads | undefined;
}

/** What an entry says of where the data of a write is from. */
export type WriteLineage = NonNullable<Fact<"ACTION_PROPOSED">["lineage"]>;

/** Where a write may have come from. */
export interface Origins {
  readonly lineage: WriteLineage;
  /** What could have content of it, and is erased with it: what is shared with each observed read, in their order, and the sources of arguments. */
  readonly evidence: JsonValue | undefined;
  readonly arguments: readonly SourcedArgument[];
  /** Arguments that are not among these. */
  readonly more: number;
  /** Pointers to arguments without a known source. */
  readonly unsourced: readonly string[];
  /** The read that it is observed to have most of. */
  readonly best: { readonly chain: string; readonly platform: string } | undefined;
}

/** Where `write` may have come from. Throws LedgerUnavailableError. */
export type OriginsOf = (write: ProposedWrite) => Promise<Origins>;

/** Looks for what `principal` read until now, for what it writes in `ledger`. Throws LedgerUnavailableError. */
export type FindOrigins = (ledger: LedgerId, principal: Principal) => Promise<OriginsOf>;

export interface OriginsOptions {
  readonly db: Queryable;
  readonly keyOf: FingerprintKeys;
  readonly maker: Pick<FingerprintMaker, "ofWrite" | "places">;
  readonly recentReads: FindRecentReads;
}

/** Edges that an entry has at most, those that tell most and the latest; of the others, how many. */
const MOST_OBSERVED = 20;
const MOST_POSSIBLE = 50;
/** Milliseconds of comparing after which others have their turn. */
const TURN = 5;

export function createFindOrigins({ db, keyOf, maker, recentReads }: OriginsOptions): FindOrigins {
  const rarityOf = createLearnedRarity(db);
  const findAsked = createFindAsked({ db, keyOf, maker });
  const matchesOf = createFindMatches({ db, keyOf, maker });

  async function originsOf(
    ledger: LedgerId,
    { reads, isCut }: RecentReads,
    { platform, arguments: given, userRequest, untrusted, everywhere }: ProposedWrite,
  ): Promise<Origins> {
    const elsewhere = reads.filter((read) => read.platform !== platform);
    const key = keyOf(ledger);
    const written = await maker.ofWrite(key, given);
    const said = userRequest === undefined ? NOTHING : await maker.ofWrite(key, JSON.stringify(userRequest));
    const wanted = new Set(said?.fingerprints);
    const compared = reads.filter(({ values }) => typeof values !== "string");
    const rarity = await rarityOf(ledger, compared);
    const found = await compare(written ?? NOTHING, wanted, compared, rarity);
    const askedOf = await findAsked(
      ledger,
      found.map(({ read }) => read),
    );
    const reported = found.map((one) => ({ ...one, asked: askedOf(one.read) }));
    const edges = found
      .flatMap(({ edge }) => (edge !== undefined && edge[0].platform !== platform ? [edge] : []))
      .sort(([one, a], [other, b]) => b.unsaid - a.unsaid || b.strength - a.strength || Number(other.seq - one.seq));
    const top = edges.slice(0, MOST_OBSERVED);
    const sources =
      written === undefined ? NOT_COMPARED : argumentSources(written, wanted, reported, rarity, untrusted);
    const matched = await matchesOf(ledger, written ?? NOTHING, [...top, ...furtherOf(sources, top)]);
    const uncompared = written === undefined || written.omitted > 0 || said === undefined || said.omitted > 0;
    const abroad = edgesAbroad(ledger, everywhere);
    const chains = [
      ...edgesWithin(ledger, elsewhere, written !== undefined),
      ...abroad.filter((edge) => edge.platform !== platform),
    ];
    const possible = foremost(chains, MOST_POSSIBLE);
    const unknown = [
      ...reads.flatMap((read) => (uncompared || isUnknown(read) ? [read.platform] : [])),
      ...abroad.map((edge) => edge.platform),
    ];
    const left = edges.length - top.length + chains.length - possible.length;
    const named = sourcedArguments(sources, untrusted, matched);
    const unsourced = unsourcedPaths(sources);
    const [best] = top;
    return {
      lineage: {
        observed: top.map(([read, { shared, strength }]) => {
          const its = matched.get(read);
          const own = shared.filter(({ isSaid }) => isSaid).length;
          return {
            ...placeOf(ledger, read),
            values: shared.length,
            whole: shared.filter(({ part }) => part === "WHOLE").length,
            exact: its && [...its.values()].filter(({ match }) => match === "EXACT").length,
            said: own === 0 ? undefined : own,
            strength: Math.round(strength * 10),
          };
        }),
        possible: [...possible],
        origins: groupsOf(sources),
        unknown: unknown.length === 0 ? undefined : [...new Set(unknown)].sort(),
        unread: everywhere === undefined || everywhere.unread.length === 0 ? undefined : [...everywhere.unread],
        left: left === 0 ? undefined : left,
        earlier: isCut ? true : undefined,
        uncompared: uncompared ? true : undefined,
      },
      evidence: {
        observed: top.map(([read, evidence]) => toldEdge(read, evidence, matched.get(read))),
        ...named,
        unsourced,
      },
      ...named,
      unsourced,
      best: best !== undefined && best[1].unsaid >= OBSERVED_STRENGTH ? best[0] : undefined,
    };
  }

  return async (ledger, principal) => {
    const recent = await recentReads(ledger, principal);
    return (write) => originsOf(ledger, recent, write);
  };
}

const NOTHING: Written = {
  fingerprints: new Float64Array(),
  rest: new Float64Array(),
  paths: [],
  leaves: [],
  omitted: 0,
};

/** Of what was too much to be compared, nothing is known. */
const NOT_COMPARED: readonly ArgumentSource[] = [
  { path: "", and: undefined, span: undefined, fingerprint: undefined, isSaid: false, reads: [], isCommon: false },
];

type Compared = Omit<FoundRead, "asked"> & { readonly edge: Edge | undefined };

/** What `written` has of each read, where it has anything. Other calls have their turn meanwhile: there can be much of both. */
async function compare(
  written: Written,
  said: ReadonlySet<Fingerprint>,
  reads: readonly RecentRead[],
  rarity: Rarity,
): Promise<readonly Compared[]> {
  const wanted = new Set(written.fingerprints);
  const all: Compared[] = [];
  let since = performance.now();
  for (const read of reads) {
    if (typeof read.values === "string") continue;
    if (performance.now() - since > TURN) {
      await setImmediate();
      since = performance.now();
    }
    const found = foundIn(read.values, wanted);
    if (found.size === 0) continue;
    const evidence = evidenceOf(written, found, rarity, said);
    const isObserved = evidence.strength >= OBSERVED_STRENGTH;
    all.push({ read, found, isObserved, edge: isObserved ? ([read, evidence] as const) : undefined });
  }
  return all;
}

/** Reads that are no edges, with what arguments have of them: it is looked up where that is, too. */
function furtherOf(sources: readonly ArgumentSource[], edges: readonly Edge[]): readonly Shares[] {
  const known = new Set(edges.map(([read]) => read));
  const further = sources.flatMap(({ reads, fingerprint }) =>
    fingerprint === undefined || reads.some((read) => known.has(read))
      ? []
      : reads.slice(-1).map((read) => ({ read, fingerprint })),
  );
  return [...Map.groupBy(further, ({ read }) => read)].map(([read, shared]) => [read, { shared }]);
}
