import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readWindowValues, type WindowAsked } from "../../src/ledger/windows.ts";
import { indexReads } from "../support/index-reads.ts";
import { openScene, type Scene } from "./scene.ts";

const LEDGER = "many/eu";
const MANY = 6_000;
/** Seconds between two entries. */
const APART = 20;
let scene: Scene;
let client: Client;

// Of ten entries, nine propose, and one ends what was proposed five entries before. Some proposals do not count, some record no amount.
const OVER = "'ACTION_DENIED', 'APPROVAL_REVOKED', 'ACTION_CANCELLED', 'ACTION_EXPIRED'";
const ENTRIES = `
  INSERT INTO oc_audit_log (ledger, seq, recorded_at, entry, hash, prev_hash, id, type, actor_id, on_behalf_of_id, action_id,
                            state_version, platform, tool, measures)
  SELECT '${LEDGER}', n, at, entry, sha256(convert_to(entry, 'UTF8')), prev, gen_random_uuid(), type, 'agent' || n % 3,
         CASE WHEN n % 2 = 0 THEN 'person' || n % 4 END, md5((CASE WHEN proposes THEN n ELSE n - 5 END)::text)::uuid,
         CASE WHEN proposes THEN 1 ELSE 2 END, CASE WHEN n % 7 = 0 THEN 'crm' ELSE 'vouchers' END, 'tool' || n % 5, CASE WHEN proposes THEN oc_measures(entry) END
    FROM (SELECT x.*, CASE WHEN proposes THEN 'ACTION_PROPOSED' ELSE (ARRAY[${OVER}])[1 + n / 10 % 4] END AS type,
                 '{"body":' || CASE WHEN n % 11 = 0 THEN '{}' WHEN n % 4 = 1 THEN '{"measures":{}}'
                                    ELSE '{"measures":{"amount":"' || n % 7 || '.01"}}' END || ',"ledger":"${LEDGER}","prevHash":"' || encode(prev, 'hex')
                   || '","recordedAt":"2026-01-01T00:00:00.000000Z","seq":"' || n || '","v":1}' AS entry
            FROM (SELECT n, now() - (${MANY} - n) * interval '${APART} s' AS at, sha256(n::text::bytea) AS prev, n % 10 <> 7 AS proposes
                    FROM generate_series(2, ${MANY}) n) x) y`;

const UNGUARDED = `
  SET LOCAL countersign.migration = 'on';
  DO $$ DECLARE t regclass; BEGIN
    FOR t IN SELECT 'oc_audit_log'::regclass UNION ALL SELECT inhrelid FROM pg_inherits WHERE inhparent = 'oc_audit_log'::regclass
             UNION ALL SELECT 'oc_ledger_head'::regclass LOOP
      EXECUTE format('ALTER TABLE ONLY %s DISABLE TRIGGER USER', t);
    END LOOP;
  END $$`;

beforeAll(async () => {
  scene = await openScene();
  await scene.ledgers.ensure(LEDGER);
  client = new Client({ connectionString: scene.database.superuserUrl });
  await client.connect();
  // Plans are made when there is next to nothing.
  for (let n = 0; n < 6; n += 1)
    await readWindowValues(
      client,
      [...SCOPES].flatMap(([, one]) => [asked(3_600, one)]),
    );
  await client.query(`BEGIN; ${UNGUARDED}; ${ENTRIES};
    UPDATE oc_ledger_head SET seq = ${MANY} WHERE ledger = '${LEDGER}'; COMMIT`);
});
afterAll(async () => {
  await client?.end();
  await scene?.close();
});

type Scope = Omit<WindowAsked, "ledger" | "seconds">;
const asked = (seconds: number, scope: Scope): WindowAsked => ({ ledger: LEDGER, seconds, ...scope });

const SCOPES: readonly (readonly [name: string, scope: Scope, condition: string])[] = [
  ["an agent", { scope: "agent", id: "agent1" }, "actor_id = 'agent1'"],
  ["a person", { scope: "person", id: "person2" }, "on_behalf_of_id = 'person2'"],
  ["nobody's agent", { scope: "person", id: "agent1" }, "on_behalf_of_id IS NULL AND actor_id = 'agent1'"],
  ["an organization", { scope: "organization", id: "" }, "true"],
  [
    "one tool of an agent",
    { scope: "agent", id: "agent2", platform: "vouchers", tool: "tool3" },
    "actor_id = 'agent2' AND platform = 'vouchers' AND tool = 'tool3'",
  ],
  [
    "one platform of a person",
    { scope: "person", id: "person2", platform: "vouchers" },
    "on_behalf_of_id = 'person2' AND platform = 'vouchers'",
  ],
  [
    "one tool of an organization",
    { scope: "organization", id: "", platform: "vouchers", tool: "tool2" },
    "platform = 'vouchers' AND tool = 'tool2'",
  ],
  ["another platform", { scope: "organization", id: "", platform: "crm" }, "platform = 'crm'"],
  ["nobody", { scope: "person", id: "nobody" }, "false"],
];

/** The same, from the texts alone. */
async function expected(seconds: number, condition: string, measure: string | undefined): Promise<string> {
  const value =
    measure === undefined ? "count(*)" : `coalesce(sum((entry::jsonb #>> '{body,measures,${measure}}')::numeric), 0)`;
  const { rows } = await client.query<{ value: string }>(
    `SELECT ${value}::text AS value FROM oc_audit_log p
      WHERE ledger = $1 AND type = 'ACTION_PROPOSED' AND entry::jsonb #> '{body,measures}' IS NOT NULL AND recorded_at > statement_timestamp() - make_interval(secs => $2) AND ${condition}
        AND NOT EXISTS (SELECT FROM oc_audit_log d WHERE d.action_id = p.action_id AND d.type IN (${OVER}))`,
    [LEDGER, seconds],
  );
  return rows[0]?.value ?? "";
}

describe("a window over many entries", () => {
  it.each(SCOPES)("of %s has the value that the texts of entries have", async (_, scope, condition) => {
    for (const seconds of [600, 3_600, 86_400]) {
      for (const measure of [undefined, "amount", "unknown"]) {
        const [read] = await readWindowValues(client, [asked(seconds, { ...scope, measure })]);
        expect({ seconds, measure, value: Number(read?.value) }).toEqual({
          seconds,
          measure,
          value: Number(await expected(seconds, condition, measure)),
        });
      }
    }
  });

  it.each([
    ["an agent", SCOPES[0]![1], "oc_audit_log_counted_agent"],
    ["a person", SCOPES[1]![1], "oc_audit_log_counted_person"],
    ["an organization", SCOPES[3]![1], "oc_audit_log_counted"],
  ])("of %s reads one range of one index, and what was denied since", async (_, scope, index) => {
    const hour = 3_600 / APART;
    await client.query("BEGIN");
    const before = await indexReads(client);
    await readWindowValues(client, [asked(3_600, { ...scope, measure: "amount" })]);
    const after = await indexReads(client);
    await client.query("ROLLBACK");
    const read = [...after].flatMap(([name, count]) => {
      const more = count - (before.get(name) ?? 0);
      return more > 0 ? [[name, more] as const] : [];
    });
    const others = read.filter(([name]) => name !== index);
    const ranges = Object.fromEntries(read);
    expect(ranges[index]).toBeGreaterThan(0);
    // A tenth is denials: they are read twice at most, and each is looked up.
    expect(ranges[index]).toBeLessThanOrEqual(2 * hour);
    expect(others.map(([name]) => name).sort()).toEqual(["oc_audit_log_action", "oc_audit_log_over"]);
    for (const [, count] of others) expect(count).toBeLessThanOrEqual(hour);
  });
});

describe("a window that was read before", () => {
  it("has the same value as one that is read as a whole, whatever was recorded, denied or became too old since", async () => {
    const { rows } = await client.query<{ seq: number; at: string }>(
      "SELECT seq::int AS seq, recorded_at::text AS at FROM oc_audit_log WHERE ledger = $1 AND seq > 3000 AND seq % 97 = 3 ORDER BY seq",
      [LEDGER],
    );
    expect(rows.length).toBeGreaterThan(25);
    for (const [, scope] of SCOPES) {
      for (const measure of [null, "amount", "unknown"]) {
        const terms = [scope.scope, scope.id, scope.platform ?? null, scope.tool ?? null, measure];
        // Each is read by what the one before came to, from its head and its beginning, an hour before.
        const { rows: wrong } = await client.query(
          `WITH points AS (SELECT p.seq, p.at - interval '1 hour' AS since
                             FROM unnest($2::bigint[], $3::timestamptz[]) AS p(seq, at)),
                whole AS (SELECT p.*, oc_window($1, p.seq + 1, p.since, $4, $5, $6, $7, $8, p.seq) AS value FROM points p)
           SELECT w.seq, w.value, w.had + oc_window_moved($1, w.from_seq, w.seq, w.began, w.since, $4, $5, $6, $7, $8) AS moved
             FROM (SELECT w.*, lag(w.seq) OVER o AS from_seq, lag(w.since) OVER o AS began, lag(w.value) OVER o AS had
                     FROM whole w WINDOW o AS (ORDER BY w.seq)) w
            WHERE w.from_seq IS NOT NULL
              AND w.value <> w.had + oc_window_moved($1, w.from_seq, w.seq, w.began, w.since, $4, $5, $6, $7, $8)`,
          [LEDGER, rows.map(({ seq }) => seq), rows.map(({ at: moment }) => moment), ...terms],
        );
        expect(wrong).toEqual([]);
      }
    }
  });

  it("reads what has changed since, and nothing else", async () => {
    const scope = { scope: "organization", id: "", measure: "amount" } as const;
    const [first] = await readWindowValues(client, [asked(86_400, scope)]);
    await client.query("BEGIN");
    const before = await indexReads(client);
    const [again] = await readWindowValues(client, [asked(86_400, { ...scope, from: first })]);
    const { rows: since } = await client.query(
      "SELECT oc_window_since($1, $2, 'agent', 'agent2', NULL, NULL, NULL) AS value",
      [LEDGER, MANY - 2],
    );
    const after = await indexReads(client);
    await client.query("ROLLBACK");
    expect(again?.value).toBe(first?.value);
    expect(since).toEqual([{ value: "1" }]);
    const most = Math.max(...[...after].map(([name, count]) => count - (before.get(name) ?? 0)));
    expect(most).toBeLessThanOrEqual(10);
    // Where the ledger ends before what was read, or it was read by a clock that was ahead, it is read as a whole.
    for (const from of [
      { ...first!, head: 10n ** 9n, value: "1" },
      { ...first!, since: "2100-01-01T00:00:00Z", value: "1" },
      { ...first!, head: 0n - 30_000n, value: "1" },
    ]) {
      const [whole] = await readWindowValues(client, [asked(86_400, { ...scope, from })]);
      expect(whole?.value).toBe(first?.value);
    }
  });
});
