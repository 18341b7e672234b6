import type { ClientBase } from "pg";
import type { JsonObject } from "../../facts/canonical.ts";
import type { LedgerId } from "../../facts/entry.ts";
import { parseJson } from "../../facts/parse-json.ts";
import { type Claim, claimProblems, type History, type Past, type Stage, stageOf } from "../../verify/history.ts";
import type { Elsewhere } from "../../verify/piece.ts";
import { type EntryState, memberOf } from "../../verify/rows.ts";
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
  /** The entry that made the thing, then those of a vote type up to the version. */
  readonly history: readonly string[] | null;
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
      group.map((alike) => alike.some(({ to }) => to !== undefined)),
      rules.voteTypes ?? [],
    ]);
    for (const [at, row] of rows.entries()) {
      const [first] = group[at] ?? [];
      if (first === undefined) continue;
      const past = toPast(row, first, rules);
      for (const claim of group[at] ?? []) problems.push(...claimProblems(claim, past, rules));
    }
  }
  return problems;
}

function toPast({ seq, next_seq, entry, history }: PastRow, claim: Claim, rules: Rules): Past {
  // The entry that made a thing is its whole history at version 1.
  const texts = history ?? (claim.version === 1 && entry !== null ? [entry] : null);
  return {
    seq: seq === null ? undefined : BigInt(seq),
    nextSeq: next_seq === null ? undefined : BigInt(next_seq),
    stage: entry === null ? undefined : stageIn(entry, claim),
    history: texts === null ? undefined : historyIn(texts, rules),
  };
}

/** Undefined when one of the entries cannot be read. */
function historyIn(texts: readonly string[], { remembered = (body) => body }: Rules): History | undefined {
  const [maker, ...votes] = texts.flatMap((text) => {
    const body = bodyIn(text);
    return body === undefined ? [] : [remembered(body)];
  });
  return maker === undefined || votes.length !== texts.length - 1 ? undefined : { maker, votes };
}

/** The body in an entry's text, if it has one; what is wrong with the entry is told where it stands. */
function bodyIn(text: string): JsonObject | undefined {
  try {
    const body = memberOf(parseJson(text), "body");
    return typeof body === "object" && body !== null && !Array.isArray(body) ? (body as JsonObject) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** What an entry's text makes of a thing at a version, if it does. */
function stageIn(text: string, { kind, id, version }: Claim): Stage | undefined {
  const { states } = bodyIn(text) ?? {};
  const items = Array.isArray(states) ? (states as readonly Partial<EntryState>[]) : [];
  const state = items.find((one) => one.kind === kind && one.id === id && one.version === version)?.state;
  return state && stageOf(state);
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
