import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LedgerId } from "../../src/facts/entry.ts";
import type { EntryRange, Queryable } from "../../src/ledger/read.ts";
import type { ReadScope } from "../../src/ledger/read-scope.ts";
import { type EntryFilter, searchEntries } from "../../src/ledger/search.ts";
import { note, openScene, type Scene } from "./scene.ts";
import { appendActions, createLedger } from "./verify.fixture.ts";

/** The person for whom every action of the fixture was proposed. Others approved them. */
const MEMBER: readonly ReadScope[] = [{ people: ["member"] }];
/** More than a search looks through entry by entry before anything else. */
const STRANGERS = 4_200;
const FEW: LedgerId = "few/eu";
const MANY: LedgerId = "many/eu";
const MORE: LedgerId = "more/eu";
const ACTIONS = new Map<LedgerId, number>([
  [FEW, 100],
  [MANY, 2_000],
  [MORE, 4_000],
]);

let scene: Scene;

beforeAll(async () => {
  scene = await openScene();
  const client = new Client({ connectionString: scene.database.superuserUrl });
  await client.connect();
  let from = 0;
  const strangers = (ledger: LedgerId) =>
    Promise.all(Array.from({ length: STRANGERS }, (_, n) => scene.ledgers.append(ledger, note(`${n}`))));
  for (const [ledger, actions] of ACTIONS) {
    await createLedger(client, ledger);
    await strangers(ledger);
    await appendActions(client, ledger, from, from + actions);
    await strangers(ledger);
    from += actions;
  }
  await client.end();
  await scene.asSuperuser("VACUUM ANALYZE");
});

afterAll(() => scene?.close());

interface PlanNode {
  readonly "Relation Name"?: string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number;
  readonly Plans?: readonly PlanNode[];
}

/** Rows of tables that a plan looked at. */
function rowsOf(node: PlanNode): number {
  const own = (node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0)) * node["Actual Loops"];
  const below = (node.Plans ?? []).reduce((sum, each) => sum + rowsOf(each), 0);
  return node["Relation Name"] === undefined ? below : own + below;
}

/** What a search finds, and the rows the database looks at for it. */
async function search(ledger: LedgerId, page: EntryRange, filter: EntryFilter = {}) {
  let looks = 0;
  const query = async (statement: string | object, values?: unknown[]) => {
    // Heads are read by a prepared statement, of one row.
    if (typeof statement !== "string") return scene.pool.query(statement as never);
    const { rows } = await scene.pool.query(`EXPLAIN (ANALYZE, FORMAT JSON) ${statement}`, values);
    looks += rowsOf(rows[0]["QUERY PLAN"][0].Plan);
    return scene.pool.query(statement, values);
  };
  const found = await searchEntries({ query } as unknown as Queryable, ledger, filter, page, MEMBER);
  return { seqs: found.map(({ seq }) => seq), looks };
}

/** What it must find. */
async function expected(
  ledger: LedgerId,
  { after = 0n, before = 10n ** 9n, limit, newestFirst }: EntryRange,
  type = "%",
) {
  const { rows } = await scene.pool.query<{ seq: string }>(
    `SELECT e.seq FROM oc_audit_log e
      WHERE e.ledger = $1 AND e.seq > $2 AND e.seq < $3 AND e.type LIKE $5
        AND (e.on_behalf_of_id = 'member'
             OR e.action_id IN (SELECT p.action_id FROM oc_audit_log p WHERE p.ledger = $1 AND p.on_behalf_of_id = 'member'))
      ORDER BY e.seq ${newestFirst ? "DESC" : ""} LIMIT $4`,
    [ledger, after, before, limit, type],
  );
  return rows.map(({ seq }) => BigInt(seq));
}

const PAGES: readonly (readonly [string, EntryRange])[] = [
  ["the oldest", { limit: 20 }],
  ["the newest", { limit: 20, newestFirst: true }],
  ["those behind a position", { after: 60n, limit: 7 }],
  ["those before a position", { before: 5_000n, limit: 7, newestFirst: true }],
  ["a longer page", { limit: 50, newestFirst: true }],
];

describe.each(PAGES)("a search within the scope of one person, %s", (_which, page) => {
  it("finds entries in scope by their own members and by their action", async () => {
    for (const ledger of ACTIONS.keys()) {
      expect((await search(ledger, page)).seqs, ledger).toEqual(await expected(ledger, page));
      const types = ["ACTION_COMPLETED"];
      expect((await search(ledger, page, { types })).seqs, ledger).toEqual(
        await expected(ledger, page, "ACTION_COMPLETED"),
      );
    }
  });

  it("costs as much as the positions the page spans, however many actions are in scope", async () => {
    const [many, more] = [await search(MANY, page), await search(MORE, page)];
    expect(more.seqs).toHaveLength(page.limit);
    expect(more.looks).toBeLessThan(1.05 * many.looks);
  });
});
