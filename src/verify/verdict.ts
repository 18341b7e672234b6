/**
 * What a verification found:
 * - INTACT: all entries of the range were re-hashed from stored bytes and found correct
 * - EMPTY: there was nothing to check
 * - CONTENT_MISMATCH: bytes, a column or a payload value is not what was hashed
 * - LINK_BROKEN: an entry is not the successor of the one before it
 * - SEQUENCE_GAP: a position inside has no entry
 * - FORKED: two entries claim one place
 * - BAD_SIGNATURE: an entry that can permit something is not signed, or not by a key of the installation
 * - RULE_BROKEN: an entry is correctly hashed and linked, but breaks a rule of the format
 * - ILLEGAL_STEP: an entry is correctly hashed and linked, but may not follow what is recorded before it
 * - STATE_MISMATCH: a state row is not what the entries say
 * - PAYLOAD_MISSING: an erasable value is not stored, and no entry ordered its erasure
 * - TRUNCATED: entries at the end are missing, according to other rows or heads
 * - ROLLED_BACK: the ledger as a whole is an earlier state than one already seen outside the database
 * - CHECKPOINT_INCONSISTENT: history was rewritten: a head seen earlier is not part of it
 * - UNGUARDED: the entries are right, but what should keep them so has been weakened
 * - UNVERIFIABLE: an entry of a format this code does not know, or one that cannot be compared
 *
 * PREMATURE_DELETION belongs to retention.
 */
export const VERDICTS = [
  "INTACT",
  "EMPTY",
  "CONTENT_MISMATCH",
  "LINK_BROKEN",
  "SEQUENCE_GAP",
  "FORKED",
  "RULE_BROKEN",
  "ILLEGAL_STEP",
  "STATE_MISMATCH",
  "PAYLOAD_MISSING",
  "TRUNCATED",
  "ROLLED_BACK",
  "CHECKPOINT_INCONSISTENT",
  "BAD_SIGNATURE",
  "PREMATURE_DELETION",
  "UNGUARDED",
  "UNVERIFIABLE",
] as const;
export type LedgerVerdict = (typeof VERDICTS)[number];

/** `seq` is the first position it concerns; undefined when it concerns no position. */
export interface LedgerProblem {
  readonly verdict: LedgerVerdict;
  readonly seq: bigint | undefined;
  readonly detail: string;
}

/** The order of problems at one position: a wrong link comes before a column that disagrees because of it. */
export const RANK: readonly LedgerVerdict[] = [
  "TRUNCATED",
  "ROLLED_BACK",
  "FORKED",
  "SEQUENCE_GAP",
  "LINK_BROKEN",
  "CONTENT_MISMATCH",
  "BAD_SIGNATURE",
  "RULE_BROKEN",
  "ILLEGAL_STEP",
  "STATE_MISMATCH",
  "PAYLOAD_MISSING",
  "CHECKPOINT_INCONSISTENT",
  "UNVERIFIABLE",
  "UNGUARDED",
];

/** Problems of entries by position, then problems of the guards. */
export function inOrder(problems: readonly LedgerProblem[]): LedgerProblem[] {
  return problems.toSorted((a, b) => {
    if (a.seq !== b.seq) {
      if (a.seq === undefined) return 1;
      if (b.seq === undefined) return -1;
      return a.seq < b.seq ? -1 : 1;
    }
    return RANK.indexOf(a.verdict) - RANK.indexOf(b.verdict);
  });
}

/** One problem for each position and verdict, in order, its details joined. */
export function merge(problems: readonly LedgerProblem[]): LedgerProblem[] {
  const merged = new Map<string, LedgerProblem>();
  for (const problem of problems) {
    const key = `${problem.seq} ${problem.verdict}`;
    const before = merged.get(key);
    if (before?.detail.split("; ").includes(problem.detail)) continue;
    merged.set(key, before ? { ...before, detail: `${before.detail}; ${problem.detail}` } : problem);
  }
  return inOrder([...merged.values()]);
}

/** The verdict over ordered problems: the first; without one, whether anything was checked at all decides. */
export function verdictOf(problems: readonly LedgerProblem[], checkedEntries: bigint): LedgerVerdict {
  const [first] = problems;
  if (first !== undefined && first.verdict !== "UNGUARDED") return first.verdict;
  if (checkedEntries === 0n) return "EMPTY";
  return first?.verdict ?? "INTACT";
}
