import fc from "fast-check";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LedgerId } from "../../src/facts/entry.ts";
import {
  buildSegment,
  checkSegments,
  dropIndex,
  forgetErased,
  missingSegments,
} from "../../src/ledger/search/build.ts";
import { pieceStatement } from "../../src/ledger/search/statements.ts";
import { searchEntries } from "../../src/ledger/search.ts";
import { dateLedgers } from "../support/clock.ts";
import { type RandomSearch, randomBodies, randomSearch, sessionBodies } from "./random-searches.ts";
import { openScene, type Scene } from "./scene.ts";

const SEED = 20_261_126;
const RUNS = 25;
const LEDGER: LedgerId = "property/eu";
/** Two segments and the beginning of a third. */
const ENTRIES = 4_300;
/** Of the months before this one there are no partitions. */
const MONTHS_AGO = [2, 1, 0];

let scene: Scene;
let superuser: Client;
let times: readonly string[];

beforeAll(async () => {
  scene = await openScene();
  superuser = new Client({ connectionString: scene.database.superuserUrl });
  await superuser.connect();
  const bodies = randomBodies(ENTRIES - 1 - sessionBodies.length, SEED);
  const clock = await dateLedgers(superuser);
  const recorded: string[] = [];
  const part = Math.ceil(bodies.length / MONTHS_AGO.length);
  for (const [at, months] of MONTHS_AGO.entries()) {
    const { rows } = await superuser.query<{ instant: Date }>("SELECT now() - make_interval(months => $1) AS instant", [
      months,
    ]);
    await clock.set(rows[0]!.instant);
    if (at === 0) for (const body of sessionBodies) await scene.ledgers.append(LEDGER, body);
    const appended = await Promise.all(
      bodies.slice(at * part, (at + 1) * part).map((body) => scene.ledgers.append(LEDGER, body)),
    );
    recorded.push(appended[0]!.recordedAt, appended.at(-1)!.recordedAt);
  }
  await clock.reset();
  times = [...recorded, "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"];
});

afterAll(async () => {
  await superuser?.end();
  await scene?.close();
});

/** What a search must find: one statement that tests every entry of the ledger. */
async function scan({ filter, range, scopes }: RandomSearch): Promise<readonly string[]> {
  const recorded = { from: new Date("2000-01-01"), before: new Date("9999-01-01") };
  const statement = pieceStatement(LEDGER, filter, { first: 1n, last: BigInt(ENTRIES), recorded }, range, scopes);
  if (statement === undefined) return [];
  const { rows } = await scene.pool.query<{ seq: string }>(statement.text, [...statement.values]);
  return rows.map(({ seq }) => seq);
}

async function search({ filter, range, scopes }: RandomSearch): Promise<readonly string[]> {
  const entries = await searchEntries(scene.pool, LEDGER, filter, range, scopes);
  return entries.map(({ seq }) => String(seq));
}

let phases = 0;

/** Compares random searches, other ones each time. */
async function compare(): Promise<void> {
  phases += 1;
  let found = 0;
  await fc.assert(
    fc.asyncProperty(randomSearch(ENTRIES, times), async (asked) => {
      const expected = await scan(asked);
      expect(await search(asked)).toEqual(expected);
      if (expected.length > 0) found += 1;
    }),
    { seed: SEED + phases, numRuns: RUNS, endOnFailure: true },
  );
  // Searches that find nothing are half of what matters, not all.
  expect(found).toBeGreaterThan(RUNS / 10);
}

async function build(): Promise<void> {
  while ((await forgetErased(scene.pool, 100)) > 0);
  for (const id of await missingSegments(scene.pool, 100, LEDGER)) await buildSegment(scene.pool, id);
}

async function incorrect(): Promise<readonly bigint[]> {
  const found: bigint[] = [];
  for await (const { id, correct } of checkSegments(scene.pool, LEDGER)) if (!correct) found.push(id.segment);
  return found;
}

const alter = (change: string, segment: number) =>
  scene.pool.query(`UPDATE oc_work.search_segment SET ${change} WHERE ledger = $1 AND segment = $2`, [LEDGER, segment]);

describe("random searches find what a scan of all entries finds", () => {
  it("without an index, with a half built and with a complete one", async () => {
    await compare();
    await buildSegment(scene.pool, { ledger: LEDGER, segment: 1n });
    await compare();
    await build();
    expect(await missingSegments(scene.pool, 1, LEDGER)).toEqual([]);
    await compare();
    await compare();
    expect(await incorrect()).toEqual([]);
  }, 300_000);

  it("with segments that are being built, of another format, too short, too long, or full of bits", async () => {
    await build();
    await alter("bits = NULL, format = NULL", 0);
    await alter("bits = substring(bits FOR 1000)", 1);
    await compare();
    await dropIndex(scene.pool, LEDGER);
    await build();
    await alter("format = -format", 0);
    await alter("bits = bits || '\\x00'", 1);
    await compare();
    await dropIndex(scene.pool, LEDGER);
    await build();
    await alter("bits = decode(repeat('ff', octet_length(bits)), 'hex')", 0);
    expect(await incorrect()).toEqual([0n]);
    await compare();
    await dropIndex(scene.pool, LEDGER);
  }, 300_000);

  it("with values that were erased before and after their segments were built", async () => {
    const erase = (rest: number) =>
      superuser.query("UPDATE oc_audit_payload SET payload = '{}' WHERE ledger = $1 AND seq % 5 = $2", [LEDGER, rest]);
    await dropIndex(scene.pool, LEDGER);
    await erase(1);
    await build();
    await erase(2);
    await compare();
    await build();
    await compare();
    expect(await incorrect()).toEqual([]);
  }, 300_000);

  it("again when bits were cleared, which hides entries, and the index was rebuilt after the check had found it", async () => {
    await build();
    const all = { filter: { types: ["NOTE"] }, range: { limit: ENTRIES }, scopes: undefined };
    const expected = await scan(all);
    await alter("bits = decode(repeat('00', octet_length(bits)), 'hex')", 0);
    expect((await search(all)).length).toBeLessThan(expected.length);
    expect(await incorrect()).toEqual([0n]);
    await dropIndex(scene.pool, LEDGER);
    await build();
    expect(await search(all)).toEqual(expected);
    await compare();
  }, 300_000);
});
