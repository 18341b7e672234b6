import type { JsonValue } from "../../../facts/canonical.ts";
import type { LedgerId } from "../../../facts/entry.ts";
import type { FactDraft } from "../../../facts/registry.ts";
import type { Queryable } from "../../../ledger/read.ts";
import type { Principal } from "../../identity/principal.ts";
import type { FingerprintMaker } from "../fingerprints/apart.ts";
import { type Evidence, evidenceOf, OBSERVED_STRENGTH, type Shared } from "../fingerprints/evidence.ts";
import type { Rarity } from "../fingerprints/rarity.ts";
import { foundIn } from "../fingerprints/read-set.ts";
import type { Written } from "../fingerprints/written.ts";
import { createLearnedRarity } from "./learned-rarity.ts";
import { createFindMatches, type Edge, type FindMatches, type Match, type Matches } from "./matches.ts";
import type { FindRecentReads, RecentRead, RecentReads } from "./recent-reads.ts";
import type { FingerprintKeys } from "./recorder.ts";

/** A write that is proposed. */
export interface ProposedWrite {
  readonly platform: string;
  /** RFC 8785 text. */
  readonly arguments: string;
  /** What the person asked for. */
  readonly userRequest?: string | undefined;
}

/** What its entry says of where it may have come from. */
export interface Origins {
  readonly lineage: NonNullable<FactDraft<"ACTION_PROPOSED">["lineage"]>;
  /** What is shared with each observed read, in their order. */
  readonly evidence: JsonValue | undefined;
  /** The read that it is observed to have most of. */
  readonly best: { readonly chain: string; readonly platform: string } | undefined;
}

/** Where `write` may have come from; undefined where its caller read nothing on another platform. Throws LedgerUnavailableError. */
export type OriginsOf = (write: ProposedWrite) => Promise<Origins | undefined>;

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
/** Values that an edge names at most. */
const MOST_SHARED = 50;

export function createFindOrigins({ db, keyOf, maker, recentReads }: OriginsOptions): FindOrigins {
  const rarityOf = createLearnedRarity(db);
  const matches = createFindMatches({ db, keyOf, maker });

  async function originsOf(
    ledger: LedgerId,
    { reads, isCut }: RecentReads,
    matchesOf: FindMatches,
    { platform, arguments: given, userRequest }: ProposedWrite,
  ): Promise<Origins | undefined> {
    const elsewhere = reads.filter((read) => read.platform !== platform);
    if (elsewhere.length === 0 && !isCut) return undefined;
    const compared = elsewhere.filter(({ values }) => typeof values !== "string");
    const key = keyOf(ledger);
    const written = compared.length === 0 ? NOTHING : await maker.ofWrite(key, given);
    const said =
      userRequest === undefined || compared.length === 0
        ? NOTHING
        : await maker.ofWrite(key, JSON.stringify(userRequest));
    const rarity = await rarityOf(ledger, compared);
    const found = written === undefined ? [] : observed(written, said, compared, rarity);
    const uncompared = written === undefined || written.omitted > 0 || said === undefined || said.omitted > 0;
    const top = found.slice(0, MOST_OBSERVED);
    const matched = await matchesOf(ledger, given, top);
    const chains = possible(ledger, elsewhere, written === undefined);
    const left = found.length - top.length + Math.max(0, chains.length - MOST_POSSIBLE);
    return {
      lineage: {
        observed: top.map(([read, { shared, strength }], at) => ({
          ...placeOf(ledger, read),
          values: shared.length,
          whole: shared.filter(({ part }) => part === "WHOLE").length,
          exact: matched[at] && [...matched[at].values()].filter(({ match }) => match === "EXACT").length,
          strength: Math.round(strength * 10),
        })),
        possible: chains.slice(0, MOST_POSSIBLE),
        left: left === 0 ? undefined : left,
        earlier: isCut ? true : undefined,
        uncompared: uncompared ? true : undefined,
      },
      evidence: top.length === 0 ? undefined : top.map(([{ seq }, evidence], at) => told(seq, evidence, matched[at])),
      best: top[0]?.[0],
    };
  }

  return async (ledger, principal) => {
    const recent = await recentReads(ledger, principal);
    const matchesOf = matches();
    return (write) => originsOf(ledger, recent, matchesOf, write);
  };
}

const NOTHING: Written = { fingerprints: new Float64Array(), rest: new Float64Array(), paths: [], omitted: 0 };

/** The reads that `written` is observed to have values of, that with most evidence first, of equal ones the latest. */
function observed(
  written: Written,
  said: Written | undefined,
  reads: readonly RecentRead[],
  rarity: Rarity,
): readonly Edge[] {
  const own = new Set(said?.fingerprints);
  const wanted = new Set(written.fingerprints);
  const found = reads.flatMap((read): readonly Edge[] => {
    if (typeof read.values === "string") return [];
    const there = foundIn(read.values, wanted);
    if (there.size === 0) return [];
    const evidence = evidenceOf(written, (one) => there.has(one), rarity, own);
    return evidence.strength >= OBSERVED_STRENGTH ? [[read, evidence]] : [];
  });
  return found.sort(([one, a], [other, b]) => b.strength - a.strength || Number(other.seq - one.seq));
}

/** One edge for each chain, to its latest read, the latest first. `isUnknown`: nothing could be compared. */
function possible(ledger: LedgerId, reads: readonly RecentRead[], isUnknown: boolean) {
  const chains = Map.groupBy(
    reads.toSorted((one, other) => Number(other.seq - one.seq)),
    ({ chain }) => chain,
  );
  return [...chains.values()].map((all) => ({
    ...placeOf(ledger, all[0] as RecentRead),
    reads: all.length,
    unknown:
      isUnknown || all.some(({ values, isPartial }) => isPartial || values === "UNKNOWN") ? (true as const) : undefined,
  }));
}

function placeOf(ledger: LedgerId, { chain, platform, region, seq, hash }: RecentRead) {
  return { chain, platform, region, ledger: ledger as string, seq: String(seq), hash };
}

/** What a read and a write share, as values of arguments are named. */
function told(seq: bigint, { shared }: Evidence, matches: Matches | undefined): JsonValue {
  return {
    seq: String(seq),
    shared: shared.slice(0, MOST_SHARED).map((one) => toldOf(one, matches?.get(one.fingerprint))),
    more: Math.max(0, shared.length - MOST_SHARED),
  };
}

function toldOf({ path, and, start, end, part, strength, sources }: Shared, match: Match | undefined): JsonValue {
  const place = { path, start, end, part, strength: Math.round(strength * 10) / 10, sources };
  return { ...place, ...(and === undefined ? {} : { and }), ...match };
}
