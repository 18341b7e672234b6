import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LedgerId } from "../../src/facts/entry.ts";
import { Erasable } from "../../src/facts/erasable.ts";
import { indexSome } from "../../src/jobs/search-index.ts";
import type { Queryable } from "../../src/ledger/read.ts";
import type { ReadScope } from "../../src/ledger/read-scope.ts";
import {
  buildSegment,
  checkSegments,
  dropIndex,
  forgetErased,
  missingSegments,
  READ_ROWS,
} from "../../src/ledger/search/build.ts";
import { fold } from "../../src/ledger/search/fold.ts";
import { type EntryFilter, type SearchPage, searchEntries, searchPage } from "../../src/ledger/search.ts";
import { actionState, note, openScene, type Scene } from "./scene.ts";
import { appendActions, createLedger, uuid } from "./verify.fixture.ts";

const LEDGER: LedgerId = "index/eu";
const DECOMPOSED = "Zoe\u0308 Šimková".normalize("NFD");
const ODD = { "k\0": "a\0b", path: "C:\\dir", big: 1e21, "10": [1], "9": { deep: ["x"] } };
const person = {
  id: "zoe",
  kind: "HUMAN",
  roles: [],
  groups: [],
  profile: new Erasable({ email: "ZOË@acme.example".normalize("NFD") }),
};

let scene: Scene;
/** Positions of the entries that only one search finds. */
let named: bigint;
let orphan: bigint;
let secret: bigint;
let late: bigint;
let times: readonly string[];

beforeAll(async () => {
  scene = await openScene();
  const client = new Client({ connectionString: scene.database.superuserUrl });
  await client.connect();
  await createLedger(client, LEDGER);
  await appendActions(client, LEDGER, 0, 250);
  const first = await scene.ledgers.append(LEDGER, note(DECOMPOSED, { actor: person }));
  named = first.seq;
  secret = (await scene.ledgers.append(LEDGER, note("the Hippopotamus 名前", { arguments: new Erasable(ODD) }))).seq;
  orphan = (await scene.ledgers.append(LEDGER, note("attempt", { type: "ATTEMPTED", action: uuid("late", 1) }))).seq;
  await appendActions(client, LEDGER, 250, 830);
  const last = await scene.ledgers.append(LEDGER, note("a latecomer"));
  late = last.seq;
  times = [first.recordedAt, last.recordedAt];
  await client.end();
});

afterAll(() => scene?.close());

const FILTERS = (): readonly EntryFilter[] => [
  {},
  { types: ["ACTION_COMPLETED"] },
  { types: ["NOTE", "GRANT_ISSUED"], tool: "send_certificate" },
  { types: ["ABSENT"] },
  { platform: "absent" },
  { actorId: "agent-3", platform: "payments" },
  { actorId: "approver", tool: "get_user_details", types: ["ACTION_PROPOSED"] },
  { onBehalfOfId: "member", effect: "WRITE" },
  { chainHash: uuid("chain", 7).toUpperCase(), text: "seattle" },
  { sourceChainHash: uuid("chain", 3), effect: "READ" },
  { actionId: uuid("action", 400), types: ["GRANT_ISSUED"] },
  { recordedFrom: times[0], recordedTo: times[0] },
  { recordedFrom: times[0], recordedTo: times[1], text: "latecomer" },
  { recordedTo: "0000-01-01T00:00:00Z" },
  { recordedFrom: "9999-12-31T23:59:59.999999Z" },
  { text: "ŠIMKOVÁ zoë" },
  { text: "simkova" },
  { text: "hippopotamus" },
  { text: "名" },
  { text: "名前" },
  { text: "jfk" },
  { text: "qz" },
  { text: "q" },
  { text: "mia_li_77" },
  { text: uuid("action", 123) },
  { text: '{"deep":["x"]}' },
  { text: '"deep":' },
  { text: "C:\\dir" },
  { text: "a\0b" },
  { text: "1e+21" },
  { text: "%" },
  { text: "' OR true --" },
  { text: `${"long ".repeat(300)}${"x".repeat(10_000)}` },
  { text: "\ud800" },
  { contains: { user_id: "mia_li_77" } },
  { contains: { flights: [{ flight_number: "HAT039" }] }, tool: "book_reservation" },
  { contains: { flights: [{ flight_number: "HAT999" }] } },
  { contains: { payment_methods: [{ amount: 250.5 }] }, types: ["ABSENT"] },
  { contains: { total: 250.5, status: "confirmed" }, platform: "reservations" },
  { contains: { total: 999 } },
  { contains: { big: 1e21 } },
  { contains: { "k\0": "a\0b" } },
  { contains: ["x"] },
  { contains: 5 },
  { actorEmail: "zoë@ACME.example" },
  { actorEmail: "zoe@acme.example" },
  { actorEmail: "agent-3@acme.example", platform: "payments" },
  { actorEmail: "nobody@acme.example" },
];

/** What all filters find: every second one newest first, and every third within what one person may read. */
async function findAll(): Promise<readonly unknown[]> {
  const found: unknown[] = [];
  for (const [n, filter] of FILTERS().entries()) {
    const newestFirst = n % 2 === 1;
    const scopes: readonly ReadScope[] | undefined = n % 3 === 2 ? [{ people: ["member"] }] : undefined;
    const from = n % 5 === 4 ? (newestFirst ? { before: 2_100n } : { after: 2_030n }) : {};
    const entries = await searchEntries(scene.pool, LEDGER, filter, { limit: 30, newestFirst, ...from }, scopes);
    found.push([JSON.stringify(filter).slice(0, 80), entries.map(({ seq }) => seq)]);
  }
  return found;
}

async function build(): Promise<void> {
  for (const id of await missingSegments(scene.pool, 100, LEDGER)) await buildSegment(scene.pool, id);
}

const segments = async () => {
  const { rows } = await scene.pool.query(
    "SELECT segment, md5(bits) AS bits FROM oc_work.search_segment WHERE ledger = $1 AND bits IS NOT NULL ORDER BY segment",
    [LEDGER],
  );
  return rows as readonly { readonly segment: string; readonly bits: string }[];
};

const find = async (filter: EntryFilter) =>
  (await searchEntries(scene.pool, LEDGER, filter, { limit: 10 })).map(({ seq }) => seq);

describe("the search index", () => {
  it("finds what is found without it, built by two servers at once, and is the same when it is rebuilt", async () => {
    const expected = await findAll();
    expect(await find({ text: "ŠIMKOVÁ zoë" })).toEqual([named]);
    expect(await find({ actorEmail: "zoë@ACME.example" })).toEqual([named]);
    expect(await find({ text: "名前" })).toEqual([secret]);
    expect(await find({ text: "latecomer" })).toEqual([late]);
    const missing = await missingSegments(scene.pool, 100, LEDGER);
    expect(missing.map(({ segment }) => segment)).toEqual([1n, 0n]);
    while ((await Promise.all([indexSome(scene.pool), indexSome(scene.pool)])).some(Boolean));
    const built = await segments();
    expect(built.map(({ segment }) => segment)).toEqual(["0", "1"]);
    expect(await findAll()).toEqual(expected);
    await dropIndex(scene.pool, LEDGER);
    expect(await segments()).toEqual([]);
    await build();
    expect(await segments()).toEqual(built);
  }, 180_000);

  it("finds an entry in scope by an action that was proposed after its segment was built", async () => {
    await build();
    // More entries are in these scopes than are tested one by one.
    const scopes = [{ people: ["member"] }, { actorIds: ["approver", "newcomer"] }];
    const attempts = async () =>
      (await searchEntries(scene.pool, LEDGER, { types: ["ATTEMPTED"] }, { limit: 5 }, scopes)).map(({ seq }) => seq);
    expect(await attempts()).toEqual([]);
    const proposal = {
      type: "ACTION_PROPOSED",
      actor: { id: "newcomer" },
      ...actionState(uuid("late", 1), 1, "PENDING"),
    };
    await scene.ledgers.append(LEDGER, proposal);
    expect(await attempts()).toEqual([orphan]);
  });

  it("is checked: a segment that does not match its entries is found, and one of another format is built again", async () => {
    await build();
    const alter = (change: string) =>
      scene.pool.query(`UPDATE oc_work.search_segment SET ${change} WHERE ledger = $1 AND segment = 0`, [LEDGER]);
    const check = async () => {
      const all: boolean[] = [];
      for await (const segment of checkSegments(scene.pool, LEDGER)) all.push(segment.correct);
      return all;
    };
    expect(await check()).toEqual([true, true]);
    await alter("bits = set_byte(bits, 5000, get_byte(bits, 5000) # 1)");
    expect(await check()).toEqual([false, true]);
    await alter("bits = substring(bits FOR 10)");
    expect(await find({ text: "hippopotamus" })).toEqual([secret]);
    expect(await check()).toEqual([false, true]);
    await alter("format = 99, claimed_at = clock_timestamp() + interval '1 hour'");
    expect(await find({ text: "hippopotamus" })).toEqual([secret]);
    await build();
    expect(await check()).toEqual([true]);
    await alter("claimed_at = now() - interval '1 hour'");
    await build();
    expect(await check()).toEqual([true, true]);
  });

  it("is built by another server when the one that claimed a segment has stopped", async () => {
    await dropIndex(scene.pool, LEDGER);
    const claim =
      "INSERT INTO oc_work.search_segment (ledger, segment, claim, claimed_at) VALUES ($1, 0, gen_random_uuid(), now() + $2::interval)";
    await scene.pool.query(claim, [LEDGER, "1 hour"]);
    await build();
    expect((await segments()).map(({ segment }) => segment)).toEqual(["1"]);
    await scene.pool.query("DELETE FROM oc_work.search_segment WHERE ledger = $1 AND segment = 0", [LEDGER]);
    await scene.pool.query(claim, [LEDGER, "-2 minutes"]);
    await build();
    expect((await segments()).map(({ segment }) => segment)).toEqual(["0", "1"]);
  });
});

describe("a search that takes too long", () => {
  it("returns where it stopped, and finds everything when it is continued there", async () => {
    await dropIndex(scene.pool, LEDGER);
    for (const newestFirst of [false, true]) {
      const filter = { text: "mia_li_4" };
      const all = await searchEntries(scene.pool, LEDGER, filter, { limit: 10_000, newestFirst });
      const seen: bigint[] = [];
      let pages = 0;
      for (let at: bigint | undefined, done = false; !done; pages++) {
        const range = { limit: 7, newestFirst, ...(newestFirst ? { before: at } : { after: at }) };
        const page = await searchPage(scene.pool, LEDGER, filter, range, { maxMilliseconds: 0 });
        seen.push(...page.entries.map(({ seq }) => seq));
        at = page.stoppedAt ?? page.entries.at(-1)?.seq;
        done = page.stoppedAt === undefined && page.entries.length < 7;
      }
      expect(seen).toEqual(all.map(({ seq }) => seq));
      expect(pages).toBeGreaterThan(seen.length / 7);
    }
  });

  it("also stops among entries that are found by values that somebody put there", async () => {
    const ledger = "planted/eu";
    for (let n = 0; n < 30; n++) await scene.ledgers.append(ledger, note(`${n}`));
    const value = JSON.stringify({ planted: { salt: "0".repeat(32), value: "needle" } });
    const plant = "UPDATE oc_audit_payload SET payload = (payload::jsonb || $2::jsonb)::json WHERE ledger = $1";
    await scene.asSuperuser(plant, [ledger, value]);
    const search = (after: bigint) =>
      searchPage(scene.pool, ledger, { text: "needle" }, { after, limit: 4 }, { maxMilliseconds: 0 });
    let pages = 0;
    for (let at: bigint | undefined = 0n; at !== undefined; pages++) {
      const { entries, stoppedAt }: SearchPage = await search(at);
      expect(entries).toEqual([]);
      at = stoppedAt;
    }
    expect(pages).toBeGreaterThan(30 / 4);
  });
});

describe("an erased value", () => {
  const erase = (db: Queryable, seq: bigint) =>
    db.query("UPDATE oc_audit_payload SET payload = '{}' WHERE ledger = $1 AND seq = $2", [LEDGER, seq]);
  const restore = (payload: string, seq: bigint) =>
    scene.asSuperuser("UPDATE oc_audit_payload SET payload = $3 WHERE ledger = $1 AND seq = $2", [
      LEDGER,
      seq,
      payload,
    ]);
  const payloadOf = async (seq: bigint) => {
    const { rows } = await scene.pool.query<{ payload: string }>(
      "SELECT payload::text AS payload FROM oc_audit_payload WHERE ledger = $1 AND seq = $2",
      [LEDGER, seq],
    );
    return rows[0]!.payload;
  };
  /** Runs `work` with a connection that may erase, in a transaction of its own. */
  async function erasing(work: (client: Client) => Promise<void>): Promise<void> {
    const client = new Client({ connectionString: scene.database.superuserUrl });
    await client.connect();
    try {
      await client.query("BEGIN");
      await work(client);
    } finally {
      await client.end();
    }
  }

  it("is found by no search, and what the index has of it is deleted with it", async () => {
    await build();
    const payload = await payloadOf(secret);
    const before = await segments();
    await erasing(async (client) => {
      await erase(client, secret);
      expect(await find({ text: "hippopotamus" })).toEqual([secret]);
      await client.query("COMMIT");
    });
    expect((await segments()).map(({ segment }) => segment)).toEqual(["1"]);
    expect(await find({ text: "hippopotamus" })).toEqual([]);
    expect(await find({ contains: { big: 1e21 } })).toEqual([]);
    expect(await find({ text: "ŠIMKOVÁ" })).toEqual([named]);
    while (await indexSome(scene.pool));
    const after = await segments();
    expect(after.map(({ segment }) => segment)).toEqual(["0", "1"]);
    expect(after[0]).not.toEqual(before[0]);
    expect(await find({ text: "hippopotamus" })).toEqual([]);
    await restore(payload, secret);
    while (await indexSome(scene.pool));
    expect(await segments()).toEqual(before);
  });

  it("does not get into the index when it is erased while a segment is built", async () => {
    await dropIndex(scene.pool, LEDGER);
    const payload = await payloadOf(secret);
    let reads = 0;
    // Erased and committed after its entry was read, before the segment is written.
    const query = async (statement: string | object, values?: readonly unknown[]) => {
      const result = await scene.pool.query(statement as string, values as unknown[]);
      if (statement === READ_ROWS && ++reads === 16) {
        await erasing(async (client) => {
          await erase(client, secret);
          await client.query("COMMIT");
        });
      }
      return result;
    };
    expect(await buildSegment({ query } as unknown as Queryable, { ledger: LEDGER, segment: 0n })).toBe(false);
    expect(await segments()).toEqual([]);
    await restore(payload, secret);
  });

  it("is deleted from the index when the erasure began before the segment was built and committed after it", async () => {
    await dropIndex(scene.pool, LEDGER);
    await scene.pool.query("DELETE FROM oc_work.search_erased");
    const payload = await payloadOf(secret);
    await erasing(async (client) => {
      await erase(client, secret);
      expect(await buildSegment(scene.pool, { ledger: LEDGER, segment: 0n })).toBe(true);
      await client.query("COMMIT");
    });
    expect(await find({ text: "hippopotamus" })).toEqual([]);
    expect(await forgetErased(scene.pool, 10)).toBe(1);
    expect(await segments()).toEqual([]);
    expect(await forgetErased(scene.pool, 10)).toBe(0);
    await restore(payload, secret);
  });

  it("is deleted from the index although other erasures hold its segment, and waits for none of them", async () => {
    await build();
    const [first, second] = [secret, 3_000n];
    const payloads = [await payloadOf(first), await payloadOf(second)];
    await erasing(async (one) => {
      await erasing(async (other) => {
        await erase(one, first);
        await erase(other, second);
        // Each now comes to the segment that the other holds.
        await erase(one, second + 1n);
        await erase(other, first - 1n);
        await other.query("ROLLBACK");
      });
      await one.query("COMMIT");
    });
    expect((await segments()).map(({ segment }) => segment)).toEqual(["1"]);
    expect(await forgetErased(scene.pool, 10)).toBe(2);
    expect(await segments()).toEqual([]);
    await restore(payloads[0]!, first);
    await restore(payloads[1]!, second);
  });

  it("is deleted from the index when a partition of values is truncated", async () => {
    await build();
    await erasing(async (client) => {
      await client.query("TRUNCATE ONLY oc_audit_payload_default");
      const { rows } = await client.query("SELECT FROM oc_work.search_segment");
      expect(rows).toEqual([]);
    });
    expect((await segments()).length).toBe(2);
  });
});

describe("folding", () => {
  it("is the same in the database and here, for every character and for combined ones", async () => {
    const { rows } = await scene.pool.query<{ code: number; folded: string }>(
      `SELECT c.code, oc_search_fold(chr(c.code)) AS folded FROM generate_series(1, 1114111) AS c(code)
        WHERE c.code NOT BETWEEN 55296 AND 57343 AND oc_search_fold(chr(c.code)) <> chr(c.code)`,
    );
    const theirs = new Map(rows.map(({ code, folded }) => [code, folded]));
    expect(theirs.size).toBeGreaterThan(5_000);
    const differing: number[] = [];
    for (let code = 1; code <= 0x10ffff; code++) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const character = String.fromCodePoint(code);
      if (fold(character) !== (theirs.get(code) ?? character)) differing.push(code);
    }
    // Characters that are assigned in the Unicode of only one of the two.
    const { rows: known } = await scene.pool.query<{ code: string }>(
      "SELECT to_hex(c) AS code FROM unnest($1::integer[]) AS c WHERE unicode_assigned(chr(c))",
      [differing],
    );
    expect(known).toEqual([]);
    for (const text of ["ΟΔΟΣ ΣΑΣ", "İstanbul I", "e\u0301\u0323", "ﬁ", "한글", "\u1112\u1161\u11ab", "Å\u0301", "ǅ"]) {
      const { rows: one } = await scene.pool.query<{ folded: string }>("SELECT oc_search_fold($1) AS folded", [text]);
      expect(fold(text)).toBe(one[0]?.folded);
    }
  });
});
