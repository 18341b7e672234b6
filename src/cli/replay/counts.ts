/** What a replay did, for people and scripts. */
export interface ReplayCounts {
  conversations: number;
  steps: number;
  /** Reads, each permitted by policy on the spot. */
  readsPermitted: number;
  writesProposed: number;
  /** Writes with at least one approval by a HUMAN, recorded before the grant was redeemed. */
  writesApproved: number;
  /** Of these, by more than one person. */
  writesBySeveral: number;
  /** Writes that the policy permits without asking anybody. */
  writesPermitted: number;
  writesExecuted: number;
  /** Steps of either kind that policy forbade. */
  blocked: number;
  /** Steps that were denied, withdrawn, or not decided or started in time. */
  notRun: number;
  /** Steps of either kind whose recorded output was a failure. */
  failedOutputs: number;
  grantsRedeemed: number;
  /** Approvals by the approver's principal id. */
  readonly approvals: Map<string, number>;
}

export function noCounts(): ReplayCounts {
  return {
    conversations: 0,
    steps: 0,
    readsPermitted: 0,
    writesProposed: 0,
    writesApproved: 0,
    writesBySeveral: 0,
    writesPermitted: 0,
    writesExecuted: 0,
    blocked: 0,
    notRun: 0,
    failedOutputs: 0,
    grantsRedeemed: 0,
    approvals: new Map(),
  };
}

export interface Totals {
  readonly run: string;
  readonly counts: ReplayCounts;
  /** Entries added to the ledger during the run, by any caller. */
  readonly entries: bigint;
  readonly milliseconds: number;
}

/** The end of a replay, as people read it. */
export function describeTotals({ run, counts, entries, milliseconds }: Totals): string {
  const approvals = [...counts.approvals].map(([approver, count]) => `${approver} ${count}`).sort();
  const rows: readonly (readonly [string, string | number | bigint, string?])[] = [
    ["run", run],
    ["conversations", counts.conversations],
    ["steps", counts.steps],
    ["  reads permitted", counts.readsPermitted],
    ["  writes proposed", counts.writesProposed],
    ["  writes approved", counts.writesApproved, `each by people, before it ran (${approvals.join(", ") || "none"})`],
    ["    by several", counts.writesBySeveral],
    ["  writes permitted", counts.writesPermitted, "without asking anybody"],
    ["  writes executed", counts.writesExecuted],
    ["  blocked", counts.blocked, "by policy"],
    ["  not run", counts.notRun, "denied, withdrawn or expired"],
    ["failed outputs", counts.failedOutputs, "of the recorded calls had failed; reported as FAILED"],
    ["grants redeemed", counts.grantsRedeemed, "each once"],
    ["ledger entries", entries, "added during the replay"],
    [
      "took",
      `${(milliseconds / 1_000).toFixed(1)} s`,
      `${(counts.steps / Math.max(milliseconds / 1_000, 0.001)).toFixed(0)} steps/s`,
    ],
  ];
  return rows
    .map(([label, value, remark]) => `${label.padEnd(19)}${value}${remark === undefined ? "" : `  ${remark}`}`)
    .join("\n");
}
