import type { LedgerEntry, LedgerId } from "../../facts/entry.ts";
import { Erasable } from "../../facts/erasable.ts";
import { isAsked } from "../../facts/quorum.ts";
import { LedgerDamagedError } from "../../ledger/errors.ts";
import { provenState, readProvenEntry, STORED_STATE, type StoredState } from "../../ledger/proof.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { IsSigned } from "../../ledger/signatures/check.ts";
import type { CommitFunction } from "../commit.ts";
import type { KnownPeople } from "../directory/known-people.ts";
import type { Caller } from "../identity/principal.ts";
import { actorOf } from "../identity/recorded.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import { termFacts } from "./body.ts";
import { ActionRefusal, notFound } from "./errors.ts";
import type { ActionResult } from "./executor.ts";
import { homePositionOf } from "./home-position.ts";
import type { ActionLoader } from "./loading/loader.ts";

export interface ReviewInput {
  readonly actionId: string;
  readonly justified: boolean;
  readonly note: string;
}

const GLASS = {
  name: "oc_load_glass",
  text: `SELECT ${STORED_STATE} FROM oc_state s WHERE s.ledger = $1 AND s.kind = 'GLASS' AND s.id = $2`,
};

/** How an action was approved alone, as its entries say. */
interface Glass {
  readonly version: number;
  readonly status: string;
  readonly by: string;
  readonly entry: LedgerEntry;
}

/** Throws LedgerDamagedError when the row says anything else than its entry, or that entry is about another action or not signed. */
async function readGlass(db: Queryable, isSigned: IsSigned, ledger: LedgerId, id: string): Promise<Glass | undefined> {
  const { rows } = await withLedgerErrors(db.query<StoredState>({ ...GLASS, values: [ledger, id] }));
  const [row] = rows;
  if (row === undefined) return undefined;
  const entry = await withLedgerErrors(readProvenEntry(db, ledger, BigInt(row.updated_seq)));
  const { version, state } = provenState(ledger, "GLASS", row, entry);
  if (entry === undefined) throw new Error(`entry ${row.updated_seq} of ${ledger} is missing`);
  if (entry.body.action !== id || !isSigned(entry)) {
    throw new LedgerDamagedError(ledger, `entry ${entry.seq} is not what a server says of the approval of ${id} alone`);
  }
  return { version, status: state.status, by: state.by, entry };
}

/** Where the latest entry is of what is known of it; undefined when nobody broke the glass. Rows only tell where to look. */
export async function readPositionOfGlass(db: Queryable, ledger: LedgerId, id: string): Promise<bigint | undefined> {
  const { rows } = await withLedgerErrors(db.query<StoredState>({ ...GLASS, values: [ledger, id] }));
  return rows[0] && BigInt(rows[0].updated_seq);
}

export interface ReviewOptions {
  readonly db: Queryable;
  readonly commit: CommitFunction;
  readonly load: ActionLoader;
  readonly known: KnownPeople;
  readonly isSigned: IsSigned;
}

/** Records what another person says of an action that somebody approved alone. Throws ActionRefusal, LedgerUnavailableError. */
export function createBreakGlassReview({ db, commit, load, known, isSigned }: ReviewOptions) {
  return (caller: Caller, ledger: LedgerId, { actionId: id, justified, note }: ReviewInput): Promise<ActionResult> =>
    commit({
      ledger,
      by: caller,
      async load() {
        const action = await load({ ledger, id });
        if (action === undefined) throw notFound(["actionId"]);
        return { action, glass: await readGlass(db, isSigned, ledger, id) };
      },
      async decide({ action, glass }) {
        const { terms } = action.situation;
        const { view } = action;
        const refuse = (code: ActionRefusal["code"], message: string) =>
          new ActionRefusal(code, message, { action: view });
        const by = caller.principal;
        const isEntitled = by.roles.includes("admin") || terms.requirements.some((one) => isAsked(one, by));
        if (by.kind !== "HUMAN" || by.onBehalfOf !== undefined || !isEntitled) {
          throw refuse("NOT_ALLOWED", "this is for administrators, and for people whose approval the policy asked for");
        }
        if (glass === undefined) throw refuse("NO_BREAK_GLASS", "nobody broke the glass for this action");
        if (glass.status !== "UNREVIEWED") throw refuse("ALREADY_REVIEWED", `it was found ${glass.status} already`);
        // With the addresses that were recorded with it.
        const breaker = actorOf(glass.entry);
        await known.refresh(by.organization);
        const people = await known.people(
          by.organization,
          [by, breaker, terms.requestedBy],
          homePositionOf(view.proposal),
        );
        for (const [involved, who] of [
          [breaker, "broke the glass"],
          [terms.requestedBy, "asked for the action"],
        ] as const) {
          const compared = by.id === involved.id ? "SAME" : people.compare(by, involved);
          if (compared === "DIFFERENT") continue;
          const another = `somebody else than who ${who} has to look into it`;
          const unknown = `${another}, and it is not known whether you are: you need a verified address, and they do`;
          throw refuse("NOT_ALLOWED", compared === "SAME" ? another : unknown);
        }
        const verdict = justified ? "JUSTIFIED" : "UNJUSTIFIED";
        const next = {
          kind: "GLASS",
          id,
          version: glass.version + 1,
          state: { status: verdict, by: glass.by },
        } as const;
        return {
          kind: "record",
          fact: {
            ...termFacts(terms),
            type: "BREAK_GLASS_REVIEWED",
            action: id,
            verdict,
            note: new Erasable(note),
            states: [next],
          } as const,
          result: (entry) => ({ action: view, entry }),
        };
      },
    });
}
