import type { MetricsSources } from "../http/metrics.ts";
import type { RegionState } from "./regions.ts";

/** What metrics ask for, over all regions that are reached. */
export function measured(
  regions: () => readonly Pick<RegionState, "database" | "ledgers" | "watch">[],
): MetricsSources {
  return {
    waiting: () => sum(regions().map(({ ledgers }) => ledgers.waiting())),
    async pendingApprovals() {
      const counts = await Promise.allSettled(regions().map(({ database }) => countPending(database.pool)));
      const known = counts.flatMap((count) => (count.status === "fulfilled" ? [count.value] : []));
      const [failed] = counts.flatMap((count) => (count.status === "rejected" ? [count.reason] : []));
      // Of a region that is down nothing is known; where all are, nothing is said.
      if (known.length === 0 && failed !== undefined) throw failed;
      return sum(known);
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
