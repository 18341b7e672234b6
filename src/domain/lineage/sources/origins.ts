import { LRUCache } from "lru-cache";
import { canonicalize, type JsonValue } from "../../../facts/canonical.ts";
import type { LedgerId } from "../../../facts/entry.ts";
import { valueAt, Withheld } from "../../../facts/payload.ts";
import type { FactDraft } from "../../../facts/registry.ts";
import { type Queryable, readEntries } from "../../../ledger/read.ts";
import type { Principal } from "../../identity/principal.ts";
import { withLedgerErrors } from "../../ledger-errors.ts";
import type { FingerprintMaker } from "../fingerprints/apart.ts";
import type { Fingerprint } from "../fingerprints/digest.ts";
import { type Evidence, evidenceOf, OBSERVED_STRENGTH, type Shared } from "../fingerprints/evidence.ts";
import type { Place } from "../fingerprints/places.ts";
import { createRarity, type Rarity } from "../fingerprints/rarity.ts";
import { foundIn } from "../fingerprints/read-set.ts";
import type { Written } from "../fingerprints/written.ts";
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
/** Values that an edge names at most, and edges of which it is looked up where their values were read. */
const MOST_SHARED = 50;
const MOST_LOOKED_UP = 5;
/** Milliseconds after which what others recorded is looked at, sets that are looked at then, and ledgers that are remembered. */
const LEARN_AGAIN = 30_000;
const LEARNED = 1_000;
const MAX_LEDGERS = 50;

// Large ones are of lists, whose values are found again in what is read of each.
const LEARN = {
  name: "oc_learn_fingerprints",
  text: `
    SELECT f.source, f.fingerprints, f.made_at FROM oc_work.read_fingerprints f
     WHERE f.ledger = $1 AND f.made_at > $2 AND octet_length(f.fingerprints) <= 6000
     ORDER BY f.made_at DESC LIMIT ${LEARNED}`,
};

export function createFindOrigins({ db, keyOf, maker, recentReads }: OriginsOptions): FindOrigins {
  /** Reads that were learned from already. */
  const noted = new WeakSet<RecentRead>();
  const learned = new LRUCache<LedgerId, { readonly rarity: Rarity; since: Date; at: number }>({ max: MAX_LEDGERS });

  /** What is common in the ledger, as of some seconds ago. */
  async function rarityOf(ledger: LedgerId): Promise<Rarity> {
    const known = learned.get(ledger) ?? { rarity: createRarity(), since: new Date(0), at: Number.NEGATIVE_INFINITY };
    learned.set(ledger, known);
    if (performance.now() - known.at < LEARN_AGAIN) return known.rarity;
    known.at = performance.now();
    type Row = { readonly source: string; readonly fingerprints: Buffer; readonly made_at: Date };
    const { rows } = await withLedgerErrors(db.query<Row>({ ...LEARN, values: [ledger, known.since] }));
    for (const { source, fingerprints } of rows) known.rarity.note(fingerprints, Number(source));
    known.since = rows[0]?.made_at ?? known.since;
    return known.rarity;
  }

  /** How the values of each edge were read, where what was read is still there. */
  async function matchesOf(
    ledger: LedgerId,
    given: string,
    edges: readonly Edge[],
  ): Promise<readonly (Matches | undefined)[]> {
    const top = edges.slice(0, MOST_LOOKED_UP);
    if (top.length === 0) return [];
    const seqs = top.flatMap(([{ completed }]) => completed ?? []);
    const entries = new Map((await withLedgerErrors(readEntries(db, ledger, seqs))).map((entry) => [entry.seq, entry]));
    const key = keyOf(ledger);
    const all = new Set(top.flatMap(([, { shared }]) => shared.map(({ fingerprint }) => fingerprint)));
    const there = byFingerprint(await maker.places(key, given, "WRITE", all));
    return Promise.all(
      top.map(async ([{ completed }, { shared }]) => {
        const entry = entries.get(completed ?? -1n);
        const result = entry && valueAt(entry, "result");
        if (result === undefined || result instanceof Withheld) return undefined;
        const wanted = new Set(shared.map(({ fingerprint }) => fingerprint));
        const places = await maker.places(key, canonicalize(result), "READ", wanted);
        return (
          places && new Map(places.map((place) => [place.fingerprint, matchOf(place, there.get(place.fingerprint))]))
        );
      }),
    );
  }

  async function originsOf(
    ledger: LedgerId,
    { reads, isCut }: RecentReads,
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
    const rarity = await rarityOf(ledger);
    for (const read of compared) {
      if (noted.has(read) || typeof read.values === "string" || read.source === undefined) continue;
      noted.add(read);
      rarity.note(read.values, read.source);
    }
    const found = written === undefined ? [] : observed(written, said, compared, rarity);
    const uncompared = written === undefined || written.omitted > 0 || said === undefined || said.omitted > 0;
    const top = found.slice(0, MOST_OBSERVED);
    const matches = await matchesOf(ledger, given, top);
    const chains = possible(ledger, elsewhere, written === undefined);
    const left = found.length - top.length + Math.max(0, chains.length - MOST_POSSIBLE);
    return {
      lineage: {
        observed: top.map(([read, { shared, strength }], at) => ({
          ...placeOf(ledger, read),
          values: shared.length,
          whole: shared.filter(({ part }) => part === "WHOLE").length,
          exact: matches[at] && [...matches[at].values()].filter(({ match }) => match === "EXACT").length,
          strength: Math.round(strength * 10),
        })),
        possible: chains.slice(0, MOST_POSSIBLE),
        left: left === 0 ? undefined : left,
        earlier: isCut ? true : undefined,
        uncompared: uncompared ? true : undefined,
      },
      evidence: top.length === 0 ? undefined : top.map(([{ seq }, evidence], at) => told(seq, evidence, matches[at])),
      best: top[0]?.[0],
    };
  }

  return async (ledger, principal) => {
    const recent = await recentReads(ledger, principal);
    return (write) => originsOf(ledger, recent, write);
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
    unknown: isUnknown || all.some(({ values }) => values === "UNKNOWN") ? (true as const) : undefined,
  }));
}

function placeOf(ledger: LedgerId, { chain, platform, region, seq, hash }: RecentRead) {
  return { chain, platform, region, ledger: ledger as string, seq: String(seq), hash };
}

type Edge = readonly [RecentRead, Evidence];
/** Where a value was read. EXACT: character by character as it is to be written. NORMALISED: in another form. PARTIAL: within a text, there or here. */
interface Match {
  readonly sourcePath: string;
  readonly match: "EXACT" | "NORMALISED" | "PARTIAL";
}
type Matches = ReadonlyMap<Fingerprint, Match>;

const byFingerprint = (places: readonly Place[] = []) => new Map(places.map((place) => [place.fingerprint, place]));

function matchOf(read: Place, written: Place | undefined): Match {
  const isWhole = read.isWhole && written?.isWhole === true;
  const match = !isWhole ? "PARTIAL" : read.raw === written.raw ? "EXACT" : "NORMALISED";
  return { sourcePath: read.path, match };
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
