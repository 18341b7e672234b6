import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canonicalize, type JsonObject } from "../../src/facts/canonical.ts";
import { entryText, GENESIS_HASH, type LedgerId, parseEntry } from "../../src/facts/entry.ts";
import { sha256Hex } from "../../src/facts/hash.ts";
import { commit, type Payload, unseal } from "../../src/facts/payload.ts";
import { searchEntries } from "../../src/ledger/search.ts";
import { openScene, type Scene } from "../ledger/scene.ts";
import vectors from "../vectors/entry-v1.json" with { type: "json" };

const ledger = vectors.ledger as LedgerId;
type Vector = (typeof vectors.entries)[number];

const payloadOf = ({ payload }: Vector): Payload => (payload === "" ? {} : (JSON.parse(payload) as Payload));

/** Follows a dotted path into a body. */
function at(body: unknown, path: string): unknown {
  return path.split(".").reduce((value, key) => (value as Record<string, unknown>)[key], body);
}

describe("vectors of entry format 1, in TypeScript", () => {
  it("are one chain, from the first entry on", () => {
    expect(vectors.format).toBe(1);
    let prevHash = GENESIS_HASH;
    for (const [index, vector] of vectors.entries.entries()) {
      expect(vector.prevHash).toBe(prevHash);
      expect(vector.seq).toBe(String(index + 1));
      prevHash = vector.hash;
    }
  });

  it.each(vectors.entries)("$seq: $name", (vector) => {
    const { body, prevHash, recordedAt, entry, hash } = vector;
    const seq = BigInt(vector.seq);
    expect(entryText({ body, ledger, prevHash, recordedAt, seq })).toBe(entry);
    expect(sha256Hex(entry)).toBe(hash);
    expect(createHash("sha256").update(entry).digest("hex")).toBe(hash);
    expect(canonicalize(JSON.parse(entry) as JsonObject)).toBe(entry);
    expect(canonicalize(JSON.parse(body) as JsonObject)).toBe(body);
    expect(parseEntry(entry)).toEqual({
      body: JSON.parse(body) as JsonObject,
      ledger,
      prevHash,
      recordedAt,
      seq,
      v: 1,
    });

    const payload = payloadOf(vector);
    if (vector.payload !== "") expect(canonicalize(payload as unknown as JsonObject)).toBe(vector.payload);
    for (const [path, { salt, value }] of Object.entries(payload)) {
      expect(at(JSON.parse(body), path)).toEqual({ commit: commit(salt, canonicalize(value)) });
    }
    expect(body.match(/"commit":/g)?.length ?? 0).toBe(Object.keys(payload).length);
    const filled = JSON.stringify(unseal(JSON.parse(body) as JsonObject, payload));
    expect(filled).not.toContain('"commit"');
  });
});

describe("vectors of entry format 1, in the database", () => {
  let scene: Scene;

  beforeAll(async () => {
    scene = await openScene();
  });

  afterAll(() => scene.close());

  it("hash to the same, and carry the same commitments", async () => {
    const { rows } = await scene.asSuperuser(
      `SELECT v.seq, encode(sha256(convert_to(v.entry, 'UTF8')), 'hex') = v.hash AS hash,
              coalesce(lag(v.hash) OVER (ORDER BY v.seq), repeat('0', 64)) = v."prevHash" AS link,
              v.entry::json ->> 'prevHash' = v."prevHash" AS "prevHash",
              oc_entry_text(v.body, ',"ledger":"' || $2 || '","prevHash":"', decode(v."prevHash", 'hex'),
                            '","recordedAt":"' || v."recordedAt" || '","seq":"', v.seq) = v.entry AS text
         FROM json_to_recordset($1::json)
              AS v(seq bigint, hash text, "prevHash" text, "recordedAt" text, body text, entry text)
        ORDER BY v.seq`,
      [JSON.stringify(vectors.entries), ledger],
    );
    expect(rows).toEqual(
      vectors.entries.map(({ seq }) => ({ seq, hash: true, link: true, prevHash: true, text: true })),
    );
  });

  it("commit to the same values", async () => {
    const commitments = vectors.entries.flatMap((vector) =>
      Object.entries(payloadOf(vector)).map(([path, { salt, value }]) => {
        const { commit: hex } = at(JSON.parse(vector.body), path) as { commit: string };
        return { salt, hex, bytes: Buffer.from(canonicalize(value)).toString("hex") };
      }),
    );
    expect(commitments.length).toBeGreaterThan(20);
    const { rows } = await scene.asSuperuser(
      `SELECT count(*) FILTER (
                WHERE encode(sha256(convert_to('countersign/commit/v1', 'UTF8') || '\\x00' || decode(c.salt, 'hex')
                                    || decode(c.bytes, 'hex')), 'hex') = c.hex) AS right
         FROM json_to_recordset($1::json) AS c(salt text, hex text, bytes text)`,
      [JSON.stringify(commitments)],
    );
    expect(rows[0]?.right).toBe(String(commitments.length));
  });

  it("are what the append function makes of the same drafts today, but for the time and what follows from it", async () => {
    const [genesis, ...others] = vectors.entries;
    await scene.pool.query("SELECT * FROM oc_ledger_create($1::text, $2::text)", [ledger, genesis?.body]);
    for (const { body, payload } of others) {
      await scene.pool.query("SELECT * FROM oc_ledger_append($1::text, $2::text, $3::text)", [ledger, body, payload]);
    }

    const stored = await searchEntries(scene.pool, ledger, {}, { limit: 100 });
    let prevHash = GENESIS_HASH;
    for (const [index, { body, payload }] of vectors.entries.entries()) {
      const entry = stored[index];
      const recordedAt = entry?.recordedAt ?? "";
      expect(entry?.entry).toBe(entryText({ body, ledger, prevHash, recordedAt, seq: BigInt(index + 1) }));
      expect(entry?.hash).toBe(sha256Hex(entry?.entry ?? ""));
      expect(entry?.payload === undefined ? "" : canonicalize(entry.payload as unknown as JsonObject)).toBe(payload);
      prevHash = entry?.hash ?? "";
    }
    expect(stored).toHaveLength(vectors.entries.length);
  });
});
