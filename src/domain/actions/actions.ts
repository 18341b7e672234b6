import { v7 as uuidv7 } from "uuid";
import type { JsonValue } from "../../ledger/canonical.ts";
import type { LedgerId } from "../../ledger/entry.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { Reader } from "../../ledger/read.ts";
import type { Keys } from "../identity/keys.ts";
import type { Caller, Principal } from "../identity/principal.ts";
import { createDatabaseClock } from "../lineage/database-clock.ts";
import { createRouting } from "../lineage/routing.ts";
import type { Policy } from "../policy/evaluate.ts";
import type { ActionView } from "./action.ts";
import type { Channel, Outcome } from "./decide/command.ts";
import type { NextState } from "./decide/decision.ts";
import { approvalObjections, objections } from "./decide/eligibility.ts";
import { ActionRefusal } from "./errors.ts";
import { type ActionResult, createExecutor } from "./executor.ts";
import { claimedAction, createGrants } from "./grants.ts";
import { canonicalJson, checkText, MAX_NOTE, MAX_TEXT, type ProposeInput } from "./input.ts";
import { createProposer, type IssuedGrant, type ProposeResult } from "./propose.ts";
import { type DueSettled, settleDue } from "./settle-due.ts";
import { type Loaded, loadAction } from "./store.ts";
import { createSupersede } from "./supersede.ts";
import { termsOf } from "./terms.ts";

export type { ActionResult } from "./executor.ts";
export type { ProposeInput } from "./input.ts";
export type { IssuedGrant, ProposeResult } from "./propose.ts";

export interface BallotInput {
  readonly actionId: string;
  /** The digest of what the approver was shown. */
  readonly digest: string;
  readonly note?: string | undefined;
  readonly channel: Channel;
}

export interface CompleteInput {
  readonly actionId: string;
  readonly outcome: Outcome;
  readonly result?: JsonValue | undefined;
  readonly error?: string | undefined;
}

/**
 * Governed actions, for one process. Expected refusals are thrown as ActionRefusal; LedgerUnavailableError means that
 * nothing happened. Everything happens in the ledger of the caller's organization, so nothing of another one is found.
 */
export interface Actions {
  propose(caller: Caller, input: ProposeInput): Promise<ProposeResult>;
  approve(caller: Caller, input: BallotInput): Promise<ActionResult>;
  deny(caller: Caller, input: BallotInput): Promise<ActionResult>;
  cancel(
    caller: Caller,
    input: { readonly actionId: string; readonly note?: string | undefined },
  ): Promise<ActionResult>;
  claimGrant(
    caller: Caller,
    input: { readonly actionId: string },
  ): Promise<ActionResult & { readonly grant: IssuedGrant }>;
  redeemGrant(caller: Caller, input: { readonly token: string; readonly digest: string }): Promise<ActionResult>;
  complete(caller: Caller, input: CompleteInput): Promise<ActionResult>;
  /** undefined when the caller's organization has no such action. */
  load(caller: Caller, actionId: string): Promise<ActionView | undefined>;
  /** Codes of everything that keeps `principal` from approving, gravest first; none: they may. */
  blockedBecause(view: ActionView, principal: Principal): readonly string[];
  /** Expires and marks ambiguous what is due in every ledger of the database, at most `limit` actions. */
  settleDue(limit: number): Promise<DueSettled>;
}

/** Durations are seconds. */
export interface ActionsConfig {
  readonly region: string;
  readonly approvalTtl: number;
  readonly grantTtl: number;
  readonly executionTtl: number;
  readonly chainIdle: number;
  /** How old a read may be and still count as a possible source of a write. */
  readonly sessionWindow?: number;
}

export interface ActionsOptions {
  readonly ledgers: Ledgers;
  readonly pool: Reader;
  readonly policy: Policy;
  readonly keys: Keys;
  readonly config: ActionsConfig;
}

const DEFAULT_SESSION_WINDOW = 12 * 3600;

export function createActions({ ledgers, pool: db, policy, keys, config }: ActionsOptions): Actions {
  const { approvalTtl, grantTtl, executionTtl, chainIdle, sessionWindow = DEFAULT_SESSION_WINDOW } = config;
  const clock = createDatabaseClock();
  const grants = createGrants(keys.grants);
  const executor = createExecutor({ ledgers, db, clock });
  const routing = createRouting({ db, clock, chainIdle, sessionWindow });
  const supersede = createSupersede({ db, executor });
  const propose = createProposer({ ledgers, db, clock, routing, policy, grants, approvalTtl, grantTtl, supersede });
  const ledgerOf = ({ principal }: Caller): LedgerId => `${principal.organization}/${config.region}`;
  const execute = (caller: Caller, id: string, command: Parameters<typeof executor.execute>[3]) =>
    executor.execute(ledgerOf(caller), id, caller, command);

  return {
    propose: (caller, input) => propose(caller, ledgerOf(caller), input),
    async approve(caller, { actionId, ...ballot }) {
      checkText(ballot.note, "note", MAX_NOTE);
      return execute(caller, actionId, { type: "approve", by: caller.principal, grantTtl, ...ballot });
    },
    async deny(caller, { actionId, ...ballot }) {
      checkText(ballot.note, "note", MAX_NOTE);
      return execute(caller, actionId, { type: "deny", by: caller.principal, ...ballot });
    },
    async cancel(caller, { actionId, note }) {
      checkText(note, "note", MAX_NOTE);
      return execute(caller, actionId, { type: "cancel", by: caller.principal, note });
    },
    async claimGrant(caller, { actionId }) {
      const command = { type: "claimGrant", by: caller.principal, grantId: uuidv7() } as const;
      let grant: IssuedGrant | undefined;
      const sign = async (next: NextState, { situation, now }: Loaded): Promise<NextState> => {
        const { terms } = situation;
        const expiresAt = next.grant?.expiresAt ?? now;
        const { token, hash } = await grants.sign({
          id: command.grantId,
          actionId: terms.actionId,
          audience: terms.requestedBy.id,
          digest: terms.digest,
          issuedAt: now,
          expiresAt,
        });
        grant = { token, expiresAt };
        return { ...next, grant: { id: command.grantId, hash, expiresAt } };
      };
      const result = await executor.execute(ledgerOf(caller), actionId, caller, command, sign);
      if (grant === undefined) throw new Error("a grant was recorded that was never signed");
      return { ...result, grant };
    },
    async redeemGrant(caller, { token, digest }) {
      const grant = await grants.verify(token);
      // What names no action of ours cannot be written down anywhere.
      const actionId = grant?.actionId ?? claimedAction(token);
      if (actionId === undefined) throw notAGrant();
      const command = { type: "redeemGrant", by: caller.principal, grant, digest, executionTtl } as const;
      try {
        return await execute(caller, actionId, command);
      } catch (error) {
        throw error instanceof ActionRefusal && error.code === "NOT_FOUND" ? notAGrant() : error;
      }
    },
    async complete(caller, { actionId, outcome, result, error }) {
      checkText(error, "error", MAX_TEXT);
      const told = result === undefined ? undefined : canonicalJson(result, "result");
      return execute(caller, actionId, { type: "completeAction", by: caller.principal, outcome, result: told, error });
    },
    async load(caller, actionId) {
      const loaded = await loadAction(db, ledgerOf(caller), actionId);
      return loaded?.view;
    },
    blockedBecause(view, principal) {
      const { state, proposal, voters = [] } = view;
      const terms = termsOf(proposal);
      const now = clock.now() ?? new Date();
      const situation = { state, terms, voters, updatedAt: now };
      const found = [...objections(situation, principal, now), ...approvalObjections(situation, principal)];
      return [...new Set(found.map(({ code }) => code))];
    },
    settleDue: (limit) => settleDue({ db, executor }, limit),
  };
}

function notAGrant(): ActionRefusal {
  return new ActionRefusal("GRANT_INVALID", "this is not a grant of ours, or it was altered", { path: ["token"] });
}
