import { asError } from "../../errors.ts";
import { type CopiedEntry, HOME_COPY_ID } from "../../facts/areas/regions.ts";
import { stateIn } from "../../facts/decode.ts";
import { type LedgerEntry, type LedgerId, ledgerOf } from "../../facts/entry.ts";
import { Erasable } from "../../facts/erasable.ts";
import type { Payload } from "../../facts/payload.ts";
import { readDirectoryChanges } from "../../ledger/directory-entries.ts";
import { LedgerDamagedError } from "../../ledger/errors.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import { provenEntry, provenFact, readProvenEntry } from "../../ledger/proof.ts";
import { type Queryable, readEntryRows } from "../../ledger/read.ts";
import type { IsSigned } from "../../ledger/signatures/check.ts";
import { readStates } from "../../ledger/states.ts";
import type { Logger } from "../../log.ts";
import type { CommitFunction } from "../commit.ts";
import type { Directory } from "../directory/directory.ts";
import { withLedgerErrors } from "../ledger-errors.ts";

export interface HomeCopierOptions {
  readonly home: { readonly region: string; readonly db: Queryable; readonly ledgers: Pick<Ledgers, "damaged"> };
  readonly directory: Pick<Directory, "signInsOfOwners">;
  readonly isSigned: IsSigned;
  /** Where copies are recorded. */
  readonly region: string;
  readonly db: Queryable;
  readonly commit: CommitFunction;
  readonly log: Pick<Logger, "warn" | "info">;
  /** Milliseconds between two looks at the home ledgers. */
  readonly interval: number;
  /** Milliseconds after which it is recorded that there is nothing new, so that copies stay recent. */
  readonly renewAfter: number;
}

export interface HomeCopier {
  start(): void;
  /** Copies what there is now. Throws LedgerUnavailableError. */
  copy(): Promise<void>;
  stop(): Promise<void>;
}

/** How far one organization is copied. */
interface Progress {
  /** Of the latest HOME_COPY; 0: there is none. */
  version: number;
  /** The position of the home ledger up to which it was copied, and up to which it was looked through since. */
  copied: bigint;
  looked: bigint;
  recordedAt: number;
  /** The latest signing in that was copied of each owner of an agent. */
  readonly owners: Map<string, bigint>;
}

/** Organizations of one look. */
const PAGE = 500;
/** Characters of copies in one entry, unless one of them is longer. */
const MAX_CHARACTERS = 512 * 1024;
/** Erasable values that are copied: names and addresses. */
const PROFILES = ["actor.profile", "onBehalfOf.profile", "subject.profile"];

/**
 * Records in the ledgers of one region what their home ledgers say of whole organizations: HOME_COPIED, with the entries as they were
 * signed. Organizations without a ledger in the region are not copied.
 */
export function createHomeCopier(options: HomeCopierOptions): HomeCopier {
  const { home, directory, isSigned, region, db, commit, log, interval, renewAfter } = options;
  const known = new Map<LedgerId, Progress>();
  let timer: NodeJS.Timeout | undefined;
  let running = Promise.resolve();
  let isFailing = false;
  let isOver = false;

  async function progressOf(ledger: LedgerId): Promise<Progress> {
    const [row] = await withLedgerErrors(readStates(db, ledger, "HOME_COPY", [HOME_COPY_ID]));
    const state = row && stateIn(row.latest, "HOME_COPY", HOME_COPY_ID);
    const before = known.get(ledger);
    const copied = BigInt(state?.state.seq ?? 0);
    const progress: Progress = {
      version: state?.version ?? 0,
      copied,
      looked: copied,
      recordedAt: row === undefined ? 0 : Date.parse(row.latest.recordedAt),
      owners: before?.owners ?? new Map(),
    };
    known.set(ledger, progress);
    return progress;
  }

  /** Records one copy. Returns whether it was the next one; another server may have recorded it. */
  function record(
    ledger: LedgerId,
    progress: Progress,
    upTo: LedgerEntry,
    copies: readonly CopiedEntry[],
  ): Promise<boolean> {
    const state = { seq: String(upTo.seq), hash: upTo.hash };
    return commit<Progress, boolean>({
      ledger,
      by: "system",
      load: () => progressOf(ledger),
      decide({ version, copied }) {
        if (version !== progress.version || copied !== progress.copied) return { kind: "done", result: false };
        return {
          kind: "record",
          fact: {
            type: "HOME_COPIED",
            home: { ledger: upTo.ledger, ...state },
            copies: new Erasable(copies),
            states: [{ kind: "HOME_COPY", id: HOME_COPY_ID, version: version + 1, state }],
          },
          result(entry) {
            progress.version = version + 1;
            progress.copied = upTo.seq;
            progress.looked = upTo.seq;
            progress.recordedAt = Date.parse(entry.recordedAt);
            known.set(ledger, progress);
            return true;
          },
        };
      },
    });
  }

  /** Records what `changed` says, in order, and who owns agents now. */
  async function copyEntries(
    ledger: LedgerId,
    progress: Progress,
    changed: readonly LedgerEntry[],
    upTo: bigint,
  ): Promise<void> {
    const [organization = ""] = ledger.split("/");
    const homeLedger = ledgerOf(organization, home.region);
    for (const part of partsOf(await withPayloads(homeLedger, changed))) {
      const last = part.at(-1);
      if (last !== undefined && !(await record(ledger, progress, last, part.map(copyOf)))) return;
    }
    const owners = changed.length === 0 ? undefined : new Set(changed.flatMap(ownersIn));
    const signIns = (await directory.signInsOfOwners(organization, owners)).filter(
      (entry) => entry.seq > (progress.owners.get(actorIn(entry)) ?? 0n),
    );
    progress.looked = upTo;
    if (changed.length > 0 && signIns.length === 0) return;
    const end = await withLedgerErrors(readProvenEntry(home.db, homeLedger, upTo));
    if (end === undefined) throw new LedgerDamagedError(homeLedger, `entry ${upTo} is missing`);
    if (!(await record(ledger, progress, end, signIns.map(copyOf)))) return;
    for (const entry of signIns) progress.owners.set(actorIn(entry), entry.seq);
  }

  async function withPayloads(homeLedger: LedgerId, changed: readonly LedgerEntry[]): Promise<readonly LedgerEntry[]> {
    const rows = await withLedgerErrors(
      readEntryRows(
        home.db,
        homeLedger,
        changed.map(({ seq }) => seq),
      ),
    );
    return rows.map((row) => {
      const entry = provenEntry(homeLedger, row);
      if (isSigned(entry)) return entry;
      throw new LedgerDamagedError(homeLedger, `no server signed entry ${entry.seq}, which changes the directory`);
    });
  }

  async function copyPage(ledgers: readonly LedgerId[]): Promise<void> {
    const byHome = new Map<LedgerId, LedgerId>();
    const since: { ledger: LedgerId; after: bigint }[] = [];
    for (const ledger of ledgers) {
      const [organization = ""] = ledger.split("/");
      const homeLedger = ledgerOf(organization, home.region);
      byHome.set(homeLedger, ledger);
      since.push({ ledger: homeLedger, after: (known.get(ledger) ?? (await progressOf(ledger))).looked });
    }
    try {
      for await (const { ledger: homeLedger, entries, upTo } of readDirectoryChanges(home.db, since)) {
        const ledger = byHome.get(homeLedger);
        const progress = ledger && known.get(ledger);
        if (ledger === undefined || progress === undefined || isOver) continue;
        if (entries.length > 0) await copyEntries(ledger, progress, entries, upTo);
        else progress.looked = upTo;
      }
    } catch (error) {
      if (error instanceof LedgerDamagedError) throw home.ledgers.damaged(error);
      await withLedgerErrors(Promise.reject(error));
    }
    for (const ledger of ledgers) {
      const progress = known.get(ledger);
      if (progress === undefined || progress.looked === 0n || isOver) continue;
      if (Date.now() - progress.recordedAt > renewAfter) await copyEntries(ledger, progress, [], progress.looked);
    }
  }

  async function copyAll(): Promise<void> {
    for (let after = ""; !isOver; ) {
      const { rows } = await withLedgerErrors(
        db.query<{ ledger: LedgerId }>(
          "SELECT ledger FROM oc_ledger_head WHERE ledger > $1 AND split_part(ledger, '/', 2) = $2 ORDER BY ledger LIMIT $3",
          [after, region, PAGE],
        ),
      );
      await copyPage(rows.map(({ ledger }) => ledger));
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE) return;
      after = last.ledger;
    }
  }

  function copy(): Promise<void> {
    const next = running.then(copyAll);
    running = next.catch(() => undefined);
    return next;
  }

  async function tick(): Promise<void> {
    try {
      await copy();
      if (isFailing) log.info({ region }, "the home region is copied again");
      isFailing = false;
    } catch (error) {
      if (!isFailing) {
        log.warn({ err: asError(error), region }, "the home region cannot be copied now; it is tried again");
      }
      isFailing = true;
      // How far it was copied is looked up again.
      known.clear();
    }
    if (!isOver) timer = setTimeout(tick, interval).unref();
  }

  return {
    start: () => void tick(),
    copy,
    async stop() {
      isOver = true;
      clearTimeout(timer);
      await running;
    },
  };
}

function copyOf({ entry, payload = {} }: LedgerEntry): CopiedEntry {
  const profiles: Record<string, Payload[string]> = {};
  for (const path of PROFILES) {
    const value = Object.hasOwn(payload, path) ? payload[path] : undefined;
    if (value !== undefined) profiles[path] = value;
  }
  return { entry, payload: profiles };
}

/** The owners that an entry gives agents. */
function ownersIn(entry: LedgerEntry): readonly string[] {
  const fact = provenFact(entry.ledger, entry);
  const states = "states" in fact ? (fact.states ?? []) : [];
  return states.flatMap(({ kind, state }) => (kind === "PRINCIPAL" && state.owner !== undefined ? [state.owner] : []));
}

function actorIn({ body }: LedgerEntry): string {
  return String((body.actor as { readonly id?: unknown }).id);
}

/** `entries` in parts that are small enough for one entry each. */
function partsOf(entries: readonly LedgerEntry[]): readonly (readonly LedgerEntry[])[] {
  const parts: LedgerEntry[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const entry of entries) {
    if (size + entry.entry.length > MAX_CHARACTERS) {
      parts.push([]);
      size = 0;
    }
    parts.at(-1)?.push(entry);
    size += entry.entry.length;
  }
  return parts;
}
