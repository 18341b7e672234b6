import { z } from "zod";
import { createChainReader, type HashedEntry, hashedEntry } from "../../domain/lineage/exports/entries.ts";
import type { LoadSteps } from "../../domain/lineage/exports/histories.ts";
import { createLineageWriter, type LineageFormat } from "../../domain/lineage/exports/writer.ts";
import type { LedgerHead, LedgerId } from "../../facts/entry.ts";
import { LedgerDamagedError } from "../../ledger/errors.ts";
import { exportSteps } from "../../ledger/export.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { Api, Operation } from "../api.ts";

/** The text of an entry. */
export interface Line {
  readonly ledger: LedgerId;
  readonly text: string;
  readonly seq: bigint;
  /** The last position the export will reach. */
  readonly last: bigint;
}

/** What is written for an entry, a line each. */
export interface Written extends Pick<Line, "seq" | "last"> {
  readonly texts: readonly string[];
}

/** Where entries come from, and where those of an action that came before are looked up. */
export interface LineSource {
  readonly lines: AsyncIterable<Line>;
  readonly stepsOf: (ledger: LedgerId) => LoadSteps;
  /** Where the ledger ends, of one that is read whole; undefined of one of which the reader may see a part. */
  readonly head?: LedgerHead | undefined;
}

const steps = z.object({ auditEntries: z.object({ nodes: z.array(z.object({ canonical: z.string() })) }) });
const READ_STEPS: Operation<z.infer<typeof steps>> = {
  document: `query ReadSteps($region: String, $action: ID!, $toSeq: Sequence!, $types: [String!]!) {
    auditEntries(region: $region, first: 100, toSeq: $toSeq, filter: { actionId: $action, types: $types }) {
      nodes { canonical }
    }
  }`,
  answer: steps,
};
/**
 * Those that move an action and do not end it; of others that do not move it, as refused attempts, there may be any number, and of those that
 * give its execution more time.
 */
const STEP_TYPES = [
  "ACTION_PROPOSED",
  "ACTION_APPROVED",
  "ACTION_BROKEN_GLASS",
  "GRANT_ISSUED",
  "GRANT_REDEEMED",
  "ACTION_AMBIGUOUS",
];

export function stepsOverApi(api: Api): LineSource["stepsOf"] {
  return (ledger) => async (action, until) => {
    const region = ledger.slice(ledger.indexOf("/") + 1);
    const variables = { region, action, toSeq: String(until), types: STEP_TYPES };
    const { data } = await api.run(READ_STEPS, variables);
    return data.auditEntries.nodes.map(({ canonical }) => hashedEntry(ledger, canonical));
  };
}

export function stepsOf(db: Queryable): LineSource["stepsOf"] {
  return (ledger) => async (action, until) =>
    (await exportSteps(db, ledger, action, until)).map((text) => hashedEntry(ledger, text));
}

/** The lines of `format` that entries are made into. Throws LedgerDamagedError; `tell` is called with what was left out. */
export async function* lineageLines(
  format: LineageFormat,
  { lines, stepsOf: steps, head }: LineSource,
  tell: (message: string) => void,
): AsyncGenerator<Written, void> {
  let reader: ReturnType<typeof readerOf> | undefined;
  let latest: HashedEntry | undefined;
  let unseen = 0;
  for await (const line of lines) {
    const { seq, last, ledger } = line;
    reader ??= readerOf(format, line, head === undefined, steps(ledger));
    latest = reader.read(line.text);
    const texts = await reader.writer.write(latest);
    if (texts === "UNSEEN" && head !== undefined) {
      throw new LedgerDamagedError(ledger, `what came before entry ${seq} of its action is not there`);
    }
    if (texts === "UNSEEN") unseen += 1;
    yield { seq, last, texts: texts === "UNSEEN" ? [] : texts };
  }
  if (head !== undefined && latest?.seq === head.seq && latest.hash !== head.hash) {
    throw new LedgerDamagedError(latest.ledger, `entry ${latest.seq}, its last, does not have the hash of its head`);
  }
  if (unseen === 1) tell("1 entry was left out: you may not see what came before it of its action");
  if (unseen > 1) tell(`${unseen} entries were left out: you may not see what came before them of their actions`);
}

function readerOf(format: LineageFormat, { ledger, seq }: Line, gaps: boolean, load: LoadSteps) {
  return { read: createChainReader({ ledger, from: seq, gaps }), writer: createLineageWriter(format, load) };
}
