import { afterAll, beforeAll, expect, it } from "vitest";
import type { DemoName } from "../../src/domain/identity/demo-principals.ts";
import { unguarded } from "../campaign/tamper/sql.ts";
import { withClient } from "../support/postgres.ts";
import { startTwoRegions, type TwoRegions } from "../support/two-regions.ts";
import { waitUntil } from "../support/wait.ts";

/** One region whose ledger somebody damaged: what the other has is listed all the same, and the damage is said. */
let regions: TwoRegions;

beforeAll(async () => {
  regions = await startTwoRegions({ WATCH_INTERVAL: "10" });
  for (const region of ["eu", "us", "eu", "us"] as const) await regions.propose(region);
});

afterAll(() => regions?.close());

interface Page {
  readonly nodes: readonly { readonly platform: string }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string };
  readonly asOf: readonly { readonly region: string }[];
  readonly unreadRegions: readonly string[];
}

const PAGE = "{ nodes { platform } pageInfo { hasNextPage endCursor } asOf { region } unreadRegions }";
const FILTER = 'filter: { types: ["ACTION_PROPOSED"] }';

async function listed(query: string, as: DemoName = "auditor"): Promise<Page> {
  return Object.values(await regions.app.ask<Record<string, Page>>(query, {}, as))[0] as Page;
}

const EU_ALONE = { asOf: [{ region: "eu" }], unreadRegions: ["us"] };

it("a read that cannot be recorded in one region shows nothing of it, and the other", async () => {
  const both = await listed(`{ auditEntries(first: 1, ${FILTER}) ${PAGE} }`);
  expect(both).toMatchObject({ nodes: [{ platform: "crm" }], unreadRegions: [] });
  // Somebody holds the head of the ledger: reads are read, and not recorded.
  const page = await withClient(regions.us.superuserUrl, async (client) => {
    await client.query("BEGIN; SELECT FROM oc_ledger_head WHERE ledger = 'acme/us' FOR UPDATE");
    // By whoever read nothing there in the minute before: the first read is recorded before it is shown.
    return listed(`{ auditEntries(first: 3, newestFirst: true, ${FILTER}) ${PAGE} }`, "approver");
  });
  expect(page).toMatchObject({ ...EU_ALONE, nodes: [{ platform: "crm" }, { platform: "crm" }] });
  const then = `{ auditEntries(first: 3, newestFirst: true, after: "${page.pageInfo.endCursor}", ${FILTER}) ${PAGE} }`;
  let next: Page | undefined;
  await waitUntil(async () => {
    next = await listed(then, "approver");
    return next.unreadRegions.length === 0;
  });
  expect(next?.nodes).toEqual([{ platform: "sheets" }, { platform: "sheets" }]);
});

it("entries that are none any more leave the lists with what the other region has, and are reported", async () => {
  await unguarded(
    regions.us.superuserUrl,
    "UPDATE oc_audit_log SET entry = '{}' WHERE ledger = 'acme/us' AND type = 'ACTION_PROPOSED'",
  );
  for (const list of ["actions(first: 9)", "pendingApprovals(first: 9)", `auditEntries(first: 9, ${FILTER})`]) {
    const crm = { platform: "crm" };
    expect(await listed(`{ ${list} ${PAGE} }`), list).toMatchObject({ ...EU_ALONE, nodes: [crm, crm] });
  }
  const alone = await regions.app.gql(`{ actions(region: "us") { nodes { platform } } }`, {}, "auditor");
  expect(alone.errors).toMatchObject([{ extensions: { code: "INTERNAL_SERVER_ERROR" } }]);
  const logged = regions.app.lines.filter((line) => line.includes("a part of what a call asked for cannot be read"));
  expect(logged.length).toBeGreaterThan(0);
  expect(logged[0]).toContain("of ledger acme/us cannot be read");
  const health = `{ ledger(region: "us") { health { condition } } }`;
  await waitUntil(
    async () =>
      JSON.stringify(await regions.app.ask(health, {}, "auditor")) !== `{"ledger":{"health":{"condition":"INTACT"}}}`,
  );
});
