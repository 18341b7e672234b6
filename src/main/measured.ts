import type { MetricsSources } from "../http/metrics.ts";
import { reportsBehind } from "../ledger/reporting/keep.ts";
import type { RegionState } from "./regions.ts";

type MeasuredRegion = Pick<RegionState, "database" | "ledgers" | "watch">;

/** What metrics ask for, over all regions that are reached. */
export function measured(regions: () => readonly MeasuredRegion[]): MetricsSources {
  /** What `count` finds in each region. Of one that is down nothing is known; where all are, this rejects. */
  async function ofReached<Count>(count: (region: MeasuredRegion) => Promise<Count>): Promise<readonly Count[]> {
    const counts = await Promise.allSettled(regions().map(count));
    const known = counts.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    const [failed] = counts.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
    if (known.length === 0 && failed !== undefined) throw failed;
    return known;
  }

  return {
    waiting: () => sum(regions().map(({ ledgers }) => ledgers.waiting())),
    pendingApprovals: async () => sum(await ofReached(({ database }) => countPending(database.pool))),
    async biBehind() {
      const all = await ofReached(({ database }) => reportsBehind(database.pool));
      return { entries: sum(all.map(({ entries }) => entries)), stopped: sum(all.map(({ stopped }) => stopped)) };
    },
    watch() {
      const all = regions().map(({ watch }) => watch.status());
      const conditions = [...new Set(all.flatMap(({ ledgers }) => Object.keys(ledgers)))];
      const counts = (name: string) =>
        sum(all.map(({ ledgers }) => (ledgers as Readonly<Record<string, number>>)[name] ?? 0));
      return {
        ledgers: Object.fromEntries(conditions.map((name) => [name, counts(name)])),
        waiting: sum(all.map(({ waiting }) => waiting)),
        spent: sum(all.map(({ spent }) => spent)),
      };
    },
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

/** How many actions wait for people, over all organizations. */
async function countPending(pool: RegionState["database"]["pool"]): Promise<number> {
  const { rows } = await pool.query<{ count: string }>("SELECT count(*) FROM oc_action WHERE status = 'PENDING'");
  return Number(rows[0]?.count ?? 0);
}
