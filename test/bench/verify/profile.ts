import type pg from "pg";
import { copyOut } from "../../../src/db/copy-out.ts";
import type { JsonObject } from "../../../src/facts/canonical.ts";
import { checkBody } from "../../../src/facts/check/check.ts";
import type { LedgerId } from "../../../src/facts/entry.ts";
import { canPermit } from "../../../src/facts/permits.ts";
import { signatureProblem } from "../../../src/facts/signature.ts";
import { signatureKeys } from "../../../src/ledger/signatures/keys.ts";
import { sha256 } from "../../../src/ledger/verify/check-piece.ts";
import { createEntryReader, selectEntries } from "../../../src/ledger/verify/entries.ts";
import { inSnapshot } from "../../../src/ledger/verify/session.ts";
import { checkColumns } from "../../../src/verify/columns.ts";
import { checkEntry } from "../../../src/verify/entry.ts";
import { formProblem } from "../../../src/verify/form.ts";
import { checkPayload } from "../../../src/verify/payload.ts";
import { createPiece } from "../../../src/verify/piece.ts";
import { FACT_KEYS } from "../../support/fact-keys.ts";
import { median } from "../load.ts";

const ROUNDS = 9;
const decoder = new TextDecoder();

/** Where a verification's time goes: microseconds an entry of what it does, each by itself over the same rows. */
export async function profile(
  pool: pg.Pool,
  ledger: LedgerId,
  to: bigint,
): Promise<readonly (readonly [what: string, microseconds: number])[]> {
  const client = await pool.connect();
  const range = { from: 1n, to };
  const raw: Buffer[] = [];
  const readAll = (onRow: (row: Buffer) => void) =>
    inSnapshot(client, () => copyOut(client, selectEntries(ledger, range), onRow));
  await readAll((row) => raw.push(Buffer.from(row)));
  const perEntry = (started: number) => ((performance.now() - started) * 1000) / raw.length;
  const reading: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const started = performance.now();
    await readAll(() => undefined);
    reading.push(perEntry(started));
  }
  client.release();

  const wrong = (...what: readonly unknown[]) => {
    throw new Error(`the ledger is not intact: ${what.join(" ")}`);
  };
  const toEntry = createEntryReader();
  const rows = raw.map(toEntry);
  const known = rows.map((row) => {
    const text = decoder.decode(row.entry);
    return { row, text, parsed: JSON.parse(text) as { readonly recordedAt: string; readonly body: JsonObject } };
  });
  const signatures = signatureKeys(FACT_KEYS);
  const check = { ledger, sha256, signatures, rules: { checkBody, canPermit } };
  const each = (work: (entry: (typeof known)[number]) => void) => () => {
    for (const entry of known) work(entry);
  };
  const steps: Readonly<Record<string, () => void>> = {
    "taking a row apart": () => {
      for (const row of raw) toEntry(row);
    },
    "SHA-256 of the entry": each(({ row }) => {
      sha256(row.entry);
    }),
    "reading its JSON": each(({ row }) => {
      JSON.parse(decoder.decode(row.entry));
    }),
    "whether it is canonical": each(({ row, text, parsed }) => {
      formProblem(text, row.entry, parsed);
    }),
    "comparing columns": each(({ row, parsed }) => checkColumns(row.columns, parsed.recordedAt, parsed.body, wrong)),
    "commitments of the payload": each(({ row, text, parsed }) => {
      checkPayload(row.payload, parsed.body, text, sha256, { complain: wrong, ambiguous: wrong, missing: wrong });
    }),
    "members by type": each(({ parsed }) => {
      checkBody(parsed.body);
    }),
    "signatures, where there have to be any": each(({ text, parsed: { recordedAt, body } }) => {
      const { signature } = body;
      if (canPermit(body) && signatureProblem({ text, ledger, recordedAt, signature }, signatures)) wrong();
    }),
    "all of an entry by itself": each(({ row }) => {
      checkEntry(row, check, wrong);
    }),
    "all of it, with order and states": () => {
      const piece = createPiece({ ...check, range, piece: range, states: [], digestKey: "0".repeat(32), limit: 1 });
      for (const row of raw) piece.next(toEntry(row));
      if (piece.end().problems.length > 0) wrong();
    },
  };
  const measured = Object.entries(steps).map(([what, step]) => {
    const times = Array.from({ length: ROUNDS }, () => {
      const started = performance.now();
      step();
      return perEntry(started);
    });
    return [what, median(times)] as const;
  });
  return [["PostgreSQL giving the rows, and Node receiving them", median(reading)], ...measured];
}
