import { z } from "zod";
import type { LedgerVerification } from "../ledger/verify.ts";
import type { Operation } from "./api.ts";
import { CommandError } from "./exit.ts";

const answer = z.object({
  verdict: z.string(),
  /** Positions and counts are decimal strings. */
  fromSeq: z.string(),
  toSeq: z.string(),
  checkedEntries: z.string(),
  head: z.object({ seq: z.string(), hash: z.string() }),
  problems: z.array(z.object({ verdict: z.string(), seq: z.string().nullable(), detail: z.string() })),
  durationMs: z.number(),
});

/** What a verification found, the same from the API and from the database. */
export type Verification = Readonly<z.infer<typeof answer>>;

export const VERIFY: Operation<{ verifyLedger: Verification }> = {
  document: `query Verify($region: String, $fromSeq: Sequence, $toSeq: Sequence) {
    verifyLedger(region: $region, fromSeq: $fromSeq, toSeq: $toSeq) {
      verdict fromSeq toSeq checkedEntries head { seq hash } problems { verdict seq detail } durationMs
    }
  }`,
  answer: z.object({ verifyLedger: answer }),
};

/** The response of `verifyLedger`, or the same result of a verification in the database. */
export function readableVerification(found: LedgerVerification): Verification {
  return {
    verdict: found.verdict,
    fromSeq: String(found.fromSeq),
    toSeq: String(found.toSeq),
    checkedEntries: String(found.checkedEntries),
    head: { seq: String(found.head.seq), hash: `sha256:${found.head.hash}` },
    problems: found.problems.map(({ verdict, seq, detail }) => ({ verdict, detail, seq: seq?.toString() ?? null })),
    durationMs: found.durationMs,
  };
}

const problemsShown = 10;

/** A verification as people read it: the verdict first, then what is wrong and where. */
export function describeVerification(found: Verification, ledger?: string): string {
  const { verdict, fromSeq, toSeq, checkedEntries, head, problems, durationMs } = found;
  const lines = [
    `${verdict}${ledger === undefined ? "" : `  ${ledger}`}`,
    `  ${checkedEntries} entries re-hashed, ${fromSeq} to ${toSeq}, in ${durationMs} ms`,
    `  head ${head.seq} ${head.hash}`,
    ...problems
      .slice(0, problemsShown)
      .map((problem) => `  ${problem.verdict}${problem.seq === null ? "" : ` at ${problem.seq}`}: ${problem.detail}`),
  ];
  if (problems.length > problemsShown)
    lines.push(`  and ${problems.length - problemsShown} more, all of them with --json`);
  return lines.join("\n");
}

/** @throws CommandError FAILED unless the verdict is INTACT; what was found has been printed before. */
export function demandIntact(found: Verification): void {
  if (found.verdict !== "INTACT") throw new CommandError("FAILED", `the ledger is not INTACT but ${found.verdict}`);
}
