import type { LedgerId } from "../../../facts/entry.ts";
import { isHex32 } from "../../../facts/hex.ts";
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

interface Candidate {
  readonly id: string;
  readonly status: "PENDING" | "DENIED";
  readonly conversation: string;
  readonly platform: string | null;
  readonly tool: string | null;
  readonly region: string | null;
  readonly committed: string | null;
  readonly salt: string | null;
}

/** Of the pending and denied actions of a caller, the latest so many are looked at. */
const MOST = 50;

// Arguments are compared by their commitments, so that no values are read.
const CANDIDATES = {
  name: "oc_earlier_actions",
  text: `
    WITH s AS MATERIALIZED (
      SELECT a.id, a.status, a.conversation, a.first_seq FROM oc_state a
       WHERE a.ledger = $1 AND a.kind = 'ACTION' AND a.status IN ('PENDING', 'DENIED')
         AND ARRAY[a.actor_id, a.on_behalf_of_id] = ARRAY[$2::text, $3::text]
       ORDER BY a.first_seq DESC LIMIT ${MOST}
    ), e AS MATERIALIZED (
      SELECT r.seq, r.entry::jsonb -> 'body' AS body, r.payload #>> '{arguments,salt}' AS salt
        FROM oc_entries_at($1, ARRAY(SELECT first_seq FROM s), true) r
    )
    SELECT s.id, s.status, s.conversation, e.body ->> 'platform' AS platform, e.body ->> 'tool' AS tool,
           e.body ->> 'targetRegion' AS region, e.body #>> '{arguments,commit}' AS committed, e.salt
      FROM s JOIN e ON e.seq = s.first_seq ORDER BY s.first_seq DESC`,
};

async function candidates(db: Queryable, ledger: LedgerId, { id, onBehalfOf }: Principal) {
  const values = [ledger, id, onBehalfOf?.id ?? null];
  return (await withLedgerErrors(db.query<Candidate>({ ...CANDIDATES, values }))).rows;
}

function isSame({ platform, tool, region, committed, salt }: Candidate, proposal: Proposal): boolean {
  if (platform !== proposal.platform || tool !== proposal.tool || region !== (proposal.targetRegion ?? null))
    return false;
  return salt !== null && isHex32(salt) && commit(salt, proposal.arguments.text) === committed;
}

/** One action that somebody changed does not keep the caller from proposing another; the loader has reported it. */
function ignoreDamage(error: unknown): undefined {
  if (!(error instanceof LedgerUnavailableError) || error.code !== "LEDGER_CORRUPT") throw error;
}

/** Looks at the actions of a caller once, when the first proposal of a call asks. */
export function createFindEarlier({ db, load }: EarlierOptions) {
  /** The action as its entries say it is: rows only tell where to look. */
  async function proven(ledger: LedgerId, found: Candidate | undefined): Promise<ActionView | undefined> {
    const loaded = found && (await load({ ledger, id: found.id }).catch(ignoreDamage));
    if (loaded === undefined || loaded.view.state.status !== found?.status) return undefined;
    return isOver(loaded.view.state.expiresAt, loaded.now) ? undefined : loaded.view;
  }

  return (): FindEarlier => {
    let reading: Promise<readonly Candidate[]> | undefined;
    return async (proposed) => {
      const { caller, ledger, proposal } = proposed;
      reading ??= candidates(db, ledger, caller.principal);
      const same = (await reading).filter((one) => isSame(one, proposal));
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
  };
}
