import type { ClientBase } from "pg";
import type { LedgerId } from "../../facts/entry.ts";
import { parseJson } from "../../facts/parse-json.ts";
import { type Claim, claimProblem, type Past, type Stage, stageOf } from "../../verify/history.ts";
import type { Elsewhere } from "../../verify/piece.ts";
import type { EntryState } from "../../verify/rows.ts";
import type { Rules } from "../../verify/rules.ts";
import type { Range } from "../../verify/sequence.ts";
import { placeProblems } from "../../verify/state-row.ts";
import type { LedgerProblem } from "../../verify/verdict.ts";
import { type RunQuery, statements } from "./session.ts";
import { readStates } from "./states.ts";

/** Things to look up in one statement. */
const LOOKUP = 500;

interface PastRow {
  readonly seq: string | null;
  readonly next_seq: string | null;
  readonly entry: string | null;
}

/** What is wrong with what entries claim of things that were last moved before the piece they are in. */
export async function checkClaims(
  run: RunQuery,
  ledger: LedgerId,
  claims: readonly Claim[],
  rules: Rules,
): Promise<LedgerProblem[]> {
  const problems: LedgerProblem[] = [];
  const alike = Map.groupBy(claims, ({ kind, id, version }) => `${kind} ${version} ${id}`);
  for (const group of batches([...alike.values()])) {
    const things = group.flatMap(([first]) => (first === undefined ? [] : [first]));
    const rows = await run<PastRow & Record<string, unknown>>(statements.past, [
      ledger,
      things.map(({ kind }) => kind),
      things.map(({ id }) => id),
      things.map(({ version }) => version),
    ]);
    for (const [at, row] of rows.entries()) {
      for (const claim of group[at] ?? []) {
        const problem = claimProblem(claim, toPast(row, claim), rules);
        if (problem !== undefined) problems.push(problem);
      }
    }
  }
  return problems;
}

function toPast({ seq, next_seq, entry }: PastRow, claim: Claim): Past {
  return {
    seq: seq === null ? undefined : BigInt(seq),
    nextSeq: next_seq === null ? undefined : BigInt(next_seq),
    stage: entry === null ? undefined : stageIn(entry, claim),
  };
}

/** What an entry's text makes of a thing at a version, if it does. */
function stageIn(text: string, { kind, id, version }: Claim): Stage | undefined {
  try {
    const { body } = parseJson(text) as { readonly body?: { readonly states?: unknown } };
    const states = Array.isArray(body?.states) ? (body.states as readonly Partial<EntryState>[]) : [];
    const state = states.find((one) => one.kind === kind && one.id === id && one.version === version)?.state;
    return state && stageOf(state);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** What is wrong with the rows of things that were last moved in another piece than these states are in. */
export async function checkPlaces(
  client: ClientBase,
  ledger: LedgerId,
  range: Range,
  states: readonly Elsewhere[],
): Promise<LedgerProblem[]> {
  const problems: LedgerProblem[] = [];
  for (const group of batches(states)) {
    const rows = await readStates(client, ledger, group);
    for (const [at, state] of group.entries()) problems.push(...placeProblems(state, rows[at], range));
  }
  return problems;
}

function* batches<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let at = 0; at < items.length; at += LOOKUP) yield items.slice(at, at + LOOKUP);
}
