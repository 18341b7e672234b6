import { hash } from "node:crypto";
import type { ClientBase } from "pg";
import { copyOut } from "../../db/copy-out.ts";
import { classify } from "../../db/errors.ts";
import { asError } from "../../errors.ts";
import { checkBody } from "../../facts/check/check.ts";
import { erasuresOf } from "../../facts/check/erasures.ts";
import { checkDependent, checkSequel, remembered, VOTE_TYPES } from "../../facts/check/sequel.ts";
import { isLegalStep } from "../../facts/check/steps.ts";
import { dependenciesOf } from "../../facts/dependencies.ts";
import { edgeRowsOf } from "../../facts/edges.ts";
import type { LedgerId } from "../../facts/entry.ts";
import { canPermit } from "../../facts/permits.ts";
import type { FactKey } from "../../facts/signature.ts";
import { EMPTY_DIGEST } from "../../verify/digest.ts";
import { createIdCollector, type Ids } from "../../verify/ids.ts";
import { createPiece, type Elsewhere } from "../../verify/piece.ts";
import type { ErasedValue, Rules } from "../../verify/rules.ts";
import type { Range } from "../../verify/sequence.ts";
import { type LedgerProblem, merge } from "../../verify/verdict.ts";
import { signatureKeys } from "../signatures/keys.ts";
import { createEntryReader, selectEntries } from "./entries.ts";
import { checkClaims, checkPlaces } from "./look-up.ts";
import { inSnapshot } from "./session.ts";
import { type StateColumns, toStateRow } from "./states.ts";

/** A part of a ledger to check; made of what threads can hand to one another. */
export interface PieceTask {
  readonly ledger: LedgerId;
  readonly range: Range;
  readonly piece: Range;
  readonly states: readonly StateColumns[];
  readonly digestKey: string;
  /** Keys that verify signatures. */
  readonly keys: readonly FactKey[];
  readonly limit: number;
  /** Whether to look at each state row that is in another piece, instead of only digesting what must be in it. */
  readonly thorough: boolean;
}

export interface PieceResult {
  readonly entries: number;
  readonly lastHash: string | undefined;
  readonly problems: readonly LedgerProblem[];
  readonly damaged: boolean;
  readonly digest: string;
  readonly ids: Ids;
  readonly missing: readonly ErasedValue[];
  readonly erased: readonly ErasedValue[];
}

export const sha256 = (bytes: Uint8Array): string => hash("sha256", bytes, "hex");

/** Of format 1, for every verification in Node. */
export const RULES: Rules = {
  dependenciesOf,
  checkBody,
  canPermit,
  edgeRowsOf,
  erasuresOf,
  isLegalStep,
  remembered,
  voteTypes: VOTE_TYPES,
  checkDependent,
  checkSequel,
};

/** Reads the rows of a piece and checks them. */
export async function checkPiece(client: ClientBase, task: PieceTask): Promise<PieceResult> {
  try {
    return await readAndCheck(client, task);
  } catch (error) {
    if (classify(error) !== "corrupt") throw error;
    await client.query("ROLLBACK");
    const { from, to } = task.piece;
    const detail = `positions ${from} to ${to} cannot be read: ${unreadable(error)}`;
    const problems = [{ verdict: "UNVERIFIABLE" as const, seq: from, detail }];
    const nothing = { ids: createIdCollector().ids(), missing: [], erased: [] };
    return { entries: 0, lastHash: undefined, problems, damaged: true, digest: EMPTY_DIGEST, ...nothing };
  }
}

/** What the database says of files that it cannot read. */
export function unreadable(error: unknown): string {
  return `the database reports damaged files (${asError(error).message}). Restore it from a backup`;
}

function readAndCheck(client: ClientBase, task: PieceTask): Promise<PieceResult> {
  const { ledger, range, limit, thorough } = task;
  return inSnapshot(client, async (run) => {
    const apart: Elsewhere[] = [];
    const signatures = signatureKeys(task.keys);
    const options = { ...task, states: task.states.map(toStateRow), sha256, rules: RULES, signatures };
    const piece = createPiece(options, thorough ? (state) => apart.push(state) : undefined);
    const toEntry = createEntryReader();
    await copyOut(client, selectEntries(ledger, task.piece), (row) => piece.next(toEntry(row)));
    const { problems, claims, ...report } = piece.end();
    const claimed = await checkClaims(run, ledger, claims, RULES);
    const placed = await checkPlaces(client, ledger, range, apart);
    return { ...report, problems: merge([...problems, ...claimed, ...placed]).slice(0, limit) };
  });
}
