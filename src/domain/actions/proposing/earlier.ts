import { LRUCache } from "lru-cache";
import type { JsonValue } from "../../../facts/canonical.ts";
import type { LedgerEntry, LedgerId } from "../../../facts/entry.ts";
import { isHex32 } from "../../../facts/hex.ts";
import { objectOf } from "../../../facts/members.ts";
import { commit } from "../../../facts/payload.ts";
import { LedgerUnavailableError } from "../../../ledger/errors.ts";
import type { Queryable } from "../../../ledger/read.ts";
import type { Principal } from "../../identity/principal.ts";
import { withLedgerErrors } from "../../ledger-errors.ts";
import type { ActionView } from "../action.ts";
import { isOver } from "../decide/eligibility.ts";
import type { Proposal } from "../input.ts";
import type { ActionLoader } from "../loading/loader.ts";
import { answersWithOpen, type Proposed } from "./proposal-entry.ts";

/** Actions of the same caller that call the same tool with the same arguments. */
export interface Earlier {
  /** One of the same conversation that waits for people. */
  readonly open?: ActionView | undefined;
  /** Id of the latest that was denied, in whatever conversation. */
  readonly denied?: string | undefined;
}

export interface EarlierOptions {
  readonly db: Queryable;
  readonly load: ActionLoader;
}

/** Finds what a proposal of one call repeats. Throws LedgerUnavailableError. */
export type FindEarlier = (proposed: Proposed) => Promise<Earlier>;

/** Looks for earlier actions. */
export interface FindsEarlier {
  /** Of one call: the actions of its caller are looked at once, when the first proposal asks. */
  look(): FindEarlier;
  /** Takes note of a proposal that this process recorded, so that its entry need not be read. */
  note(proposal: LedgerEntry): void;
}

/** A pending or denied action of a caller, as its row says. */
interface Candidate {
  readonly id: string;
  readonly status: "PENDING" | "DENIED";
  readonly conversation: string;
  readonly first_seq: string;
}

/** What is compared of a proposal. Its entry has it, and never changes. */
interface Recorded {
  readonly platform: string | null;
  readonly tool: string | null;
  readonly region: string | null;
  readonly committed: string | null;
  readonly salt: string | null;
}

interface RecordedRow extends Recorded {
  readonly seq: string;
}

interface Compared {
  readonly candidate: Candidate;
  readonly recorded: Recorded | undefined;
}

/** Of the pending and denied actions of a caller, the latest so many are looked at. */
const MOST = 50;
/** Proposals of which is kept what is compared, and for how many milliseconds: longer than most wait. */
const MAX_KEPT = 20_000;
const KEPT_FOR = 30 * 60_000;

const CANDIDATES = {
  name: "oc_earlier_actions",
  text: `SELECT a.id, a.status, a.conversation, a.first_seq FROM oc_earlier_actions($1, $2, $3, ${MOST}) a`,
};

// Arguments are compared by their commitments, so that no values are read.
const RECORDED = {
  name: "oc_earlier_proposals",
  text: `
    WITH e AS MATERIALIZED (
      SELECT r.seq, r.entry::jsonb -> 'body' AS body, r.payload #>> '{arguments,salt}' AS salt
        FROM oc_entries_at($1, $2::bigint[], true) r
    )
    SELECT e.seq, e.body ->> 'platform' AS platform, e.body ->> 'tool' AS tool, e.body ->> 'targetRegion' AS region,
           e.body #>> '{arguments,commit}' AS committed, e.salt
      FROM e`,
};

async function candidates(db: Queryable, ledger: LedgerId, { id, onBehalfOf }: Principal) {
  const values = [ledger, id, onBehalfOf?.id ?? null];
  return (await withLedgerErrors(db.query<Candidate>({ ...CANDIDATES, values }))).rows;
}

function isSame({ platform, tool, region, committed, salt }: Recorded, proposal: Proposal): boolean {
  if (platform !== proposal.platform || tool !== proposal.tool || region !== (proposal.targetRegion ?? null))
    return false;
  return salt !== null && isHex32(salt) && commit(salt, proposal.arguments.text) === committed;
}

const textOf = (value: JsonValue | undefined) => (typeof value === "string" ? value : null);

function recordedIn({ body, payload }: LedgerEntry): Recorded {
  return {
    platform: textOf(body.platform),
    tool: textOf(body.tool),
    region: textOf(body.targetRegion),
    committed: textOf(objectOf(body.arguments).commit),
    salt: payload?.arguments?.salt ?? null,
  };
}

/** One action that somebody changed does not keep the caller from proposing another; the loader has reported it. */
function ignoreDamage(error: unknown): undefined {
  if (!(error instanceof LedgerUnavailableError) || error.code !== "LEDGER_CORRUPT") throw error;
}

export function createFindEarlier({ db, load }: EarlierOptions): FindsEarlier {
  /** By ledger and position. To read and parse fifty entries takes longer than to record one. */
  const kept = new LRUCache<string, Recorded>({ max: MAX_KEPT, ttl: KEPT_FOR });

  /** The action as its entries say it is: rows only tell where to look. */
  async function proven(ledger: LedgerId, found: Candidate | undefined): Promise<ActionView | undefined> {
    const loaded = found && (await load({ ledger, id: found.id }).catch(ignoreDamage));
    if (loaded === undefined || loaded.view.state.status !== found?.status) return undefined;
    return isOver(loaded.view.state.expiresAt, loaded.now) ? undefined : loaded.view;
  }

  /** The latest actions of a caller, each with what is compared. */
  async function read(ledger: LedgerId, principal: Principal): Promise<readonly Compared[]> {
    const found = await candidates(db, ledger, principal);
    const known = new Map(found.map(({ first_seq: seq }) => [seq, kept.get(`${ledger} ${seq}`)] as const));
    const missing = [...known].flatMap(([seq, recorded]) => (recorded === undefined ? [seq] : []));
    if (missing.length > 0) {
      const values = [ledger, missing];
      for (const { seq, ...recorded } of (await withLedgerErrors(db.query<RecordedRow>({ ...RECORDED, values })))
        .rows) {
        known.set(seq, recorded);
        kept.set(`${ledger} ${seq}`, recorded);
      }
    }
    return found.map((candidate) => ({ candidate, recorded: known.get(candidate.first_seq) }));
  }

  return {
    note(proposal) {
      kept.set(`${proposal.ledger} ${proposal.seq}`, recordedIn(proposal));
    },
    look() {
      let reading: Promise<readonly Compared[]> | undefined;
      return async (proposed) => {
        const { caller, ledger, proposal } = proposed;
        reading ??= read(ledger, caller.principal);
        const same = (await reading).flatMap(({ candidate, recorded }) =>
          recorded !== undefined && isSame(recorded, proposal) ? [candidate] : [],
        );
        if (same.length === 0) return {};
        const conversation = proposal.conversationId ?? "";
        const wanted = answersWithOpen(proposal);
        const waits = ({ status, conversation: of }: Candidate) => status === "PENDING" && of === conversation;
        const [open, denied, own] = await Promise.all([
          wanted ? proven(ledger, same.findLast(waits)) : undefined,
          proven(
            ledger,
            same.find(({ status }) => status === "DENIED"),
          ),
          wanted ? load(proposed) : undefined,
        ]);
        // A key that was used before has an action of its own.
        return { open: own === undefined ? open : undefined, denied: denied?.state.id };
      };
    },
  };
}
