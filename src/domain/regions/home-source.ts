import type { CopiedEntry } from "../../facts/areas/regions.ts";
import { type LedgerEntry, type LedgerId, ledgerOf } from "../../facts/entry.ts";
import type { Payload } from "../../facts/payload.ts";
import { readDirectoryChanges } from "../../ledger/directory-entries.ts";
import { LedgerDamagedError } from "../../ledger/errors.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import { provenEntry, provenFact, readProvenEntry } from "../../ledger/proof.ts";
import { type Queryable, readEntryRows } from "../../ledger/read.ts";
import type { IsSigned } from "../../ledger/signatures/check.ts";
import type { Directory } from "../directory/directory.ts";
import { withLedgerErrors } from "../ledger-errors.ts";

/** What is asked about one organization. */
export interface HomeSince {
  readonly organization: string;
  /** The position of the home ledger up to which it was read. */
  readonly after: bigint;
  /** The entry up to which it is copied, at 0 none, and its hash. */
  readonly copied: { readonly seq: bigint; readonly hash: string };
  /** Whether to return the last sign-ins of all owners of agents and people with linked accounts, even if nothing changed. */
  readonly withSignIns: boolean;
}

/** The organization-wide entries of one organization's home ledger after a position. */
export interface HomeChanges {
  readonly organization: string;
  /** The position after which it begins. */
  readonly after: bigint;
  /** Everything behind `after`, up to this position, is in `entries`. */
  readonly upTo: bigint;
  /** The hash of the entry at `upTo`, 64 hex digits; undefined where nothing changed and nothing was asked for. */
  readonly hash: string | undefined;
  /** Oldest first. */
  readonly entries: readonly CopiedEntry[];
  /** The entries by which owners of agents that `entries` are about last signed in, or all owners, and all people with linked accounts. */
  readonly signIns: readonly CopiedEntry[];
  /** Whether the ledger has a different entry at `copied`, as after a restore. Nothing else is returned then. */
  readonly isOther: boolean;
}

/** Reads home ledgers: from their database, or from a server that has it. */
export interface HomeSource {
  /** Omits organizations in which nothing was recorded. Throws LedgerUnavailableError. */
  changes(since: readonly HomeSince[]): AsyncIterable<HomeChanges>;
  /** Aborts requests. */
  stop(): void;
}

export interface HomeSourceOptions {
  readonly region: string;
  readonly db: Queryable;
  readonly ledgers: Pick<Ledgers, "damaged">;
  readonly directory: Pick<Directory, "signIns">;
  readonly isSigned: IsSigned;
}

/** Paths of erasable values that are copied: names and addresses, and the settings of channels. */
const COPIED = ["actor.profile", "onBehalfOf.profile", "subject.profile", "settings", "secrets"];

export function createHomeSource({ region, db, ledgers, directory, isSigned }: HomeSourceOptions): HomeSource {
  async function withPayloads(ledger: LedgerId, changed: readonly LedgerEntry[]): Promise<readonly LedgerEntry[]> {
    const seqs = changed.map(({ seq }) => seq);
    const rows = await withLedgerErrors(readEntryRows(db, ledger, seqs));
    return rows.map((row) => {
      const entry = provenEntry(ledger, row);
      if (isSigned(entry)) return entry;
      throw new LedgerDamagedError(ledger, `no server signed entry ${entry.seq}, which changes the directory`);
    });
  }

  async function isOther(ledger: LedgerId, { seq, hash }: HomeSince["copied"]): Promise<boolean> {
    if (seq === 0n) return false;
    return (await withLedgerErrors(readProvenEntry(db, ledger, seq)))?.hash !== hash;
  }

  async function changesOf(
    { organization, copied }: Pick<HomeSince, "organization" | "copied">,
    changed: readonly LedgerEntry[],
    { after, upTo }: Readonly<Record<"after" | "upTo", bigint>>,
    withSignIns: boolean,
  ): Promise<HomeChanges> {
    if (changed.length === 0 && !withSignIns) {
      return { organization, after, upTo, hash: undefined, entries: [], signIns: [], isOther: false };
    }
    const ledger = ledgerOf(organization, region);
    if (await isOther(ledger, copied)) {
      return { organization, after, upTo: after, hash: undefined, entries: [], signIns: [], isOther: true };
    }
    const entries = await withPayloads(ledger, changed);
    const owners = withSignIns ? undefined : new Set(entries.flatMap(ownersIn));
    const signIns = await directory.signIns(organization, owners);
    const end = await withLedgerErrors(readProvenEntry(db, ledger, upTo));
    if (end === undefined) throw new LedgerDamagedError(ledger, `entry ${upTo} is missing`);
    return {
      organization,
      after,
      upTo,
      hash: end.hash,
      entries: entries.map(copyOf),
      signIns: signIns.map(copyOf),
      isOther: false,
    };
  }

  async function* read(since: readonly HomeSince[]): AsyncGenerator<HomeChanges> {
    const asked = new Map(since.map((one) => [ledgerOf(one.organization, region), one]));
    const unread = new Set(since);
    const reached = new Map<LedgerId, bigint>();
    const positions = [...asked].map(([ledger, { after }]) => ({ ledger, after }));
    for await (const { ledger, entries, upTo } of readDirectoryChanges(db, positions)) {
      const one = asked.get(ledger);
      if (one === undefined) continue;
      // The ledger ends before what was read of it: reading its directory reports that.
      if (upTo < one.after) continue;
      const after = reached.get(ledger) ?? one.after;
      reached.set(ledger, upTo);
      yield await changesOf(one, entries, { after, upTo }, one.withSignIns && unread.delete(one));
    }
    for (const one of unread) {
      const { after, withSignIns } = one;
      if (withSignIns && after > 0n) yield await changesOf(one, [], { after, upTo: after }, true);
    }
  }

  return {
    stop: () => undefined,
    async *changes(since) {
      // A damaged ledger keeps no other from being copied.
      for (let left = since; left.length > 0; ) {
        try {
          yield* read(left);
          return;
        } catch (error) {
          if (!(error instanceof LedgerDamagedError)) return await withLedgerErrors(Promise.reject(error));
          const { ledger } = ledgers.damaged(error);
          const others = left.filter(({ organization }) => ledgerOf(organization, region) !== ledger);
          if (others.length === left.length) throw error;
          left = others;
        }
      }
    },
  };
}

function copyOf({ entry, payload = {} }: LedgerEntry): CopiedEntry {
  const values: Record<string, Payload[string]> = {};
  for (const path of COPIED) {
    const value = Object.hasOwn(payload, path) ? payload[path] : undefined;
    if (value !== undefined) values[path] = value;
  }
  return { entry, payload: values };
}

/** The owners that an entry gives agents. */
function ownersIn(entry: LedgerEntry): readonly string[] {
  const fact = provenFact(entry.ledger, entry);
  const states = "states" in fact ? (fact.states ?? []) : [];
  return states.flatMap(({ kind, state }) => (kind === "PRINCIPAL" && state.owner !== undefined ? [state.owner] : []));
}
