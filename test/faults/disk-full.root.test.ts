import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { migrate } from "../../src/db/migrate.ts";
import { createPool } from "../../src/db/pool.ts";
import type { LedgerEntry } from "../../src/facts/entry.ts";
import { Erasable } from "../../src/facts/erasable.ts";
import { sha256Hex } from "../../src/facts/hash.ts";
import { createLedgers } from "../support/ledgers.ts";
import { silent } from "../support/log.ts";
import { mountSmallDisk, type SmallDisk } from "../support/small-disk.ts";

let disk: SmallDisk;
let postgres: EmbeddedPostgres;

beforeAll(async () => {
  disk = await mountSmallDisk(400);
  // Small WAL files, so that the disk holds many of them and running out is a matter of megabytes.
  const settings = { max_wal_size: "64MB", min_wal_size: "32MB" };
  postgres = await startEmbeddedPostgres({ dataDir: path.join(disk.directory, "data"), log: silent, settings });
  await migrate({ connectionString: postgres.url, log: silent });
});

afterAll(async () => {
  await disk.free();
  await postgres.stop();
  await disk.unmount();
});

describe("a full disk", () => {
  it("refuses entries, leaves none half-written, and lets the ledger go on once there is room", async () => {
    const pool = createPool({ connectionString: postgres.url, max: 4, applicationName: "disk-full", log: silent });
    const ledgers = createLedgers({ pool, capacity: 1_000 });
    const note = (n: number) => ({
      type: "NOTE",
      actor: { id: "tester" },
      text: new Erasable(`${n} ${"bytes that fill the disk ".repeat(4_000)}`),
    });
    const acknowledged: LedgerEntry[] = [await ledgers.append("full/eu", note(0))];
    await disk.fillUpTo(24 * 1024 * 1024);

    let refused: unknown;
    for (let n = 1; refused === undefined && n < 5_000; n++) {
      await ledgers.append("full/eu", note(n)).then(
        (entry) => acknowledged.push(entry),
        (error: unknown) => {
          refused = error;
        },
      );
    }
    expect(refused).toMatchObject({ code: "LEDGER_UNAVAILABLE" });

    await disk.free();
    await expect
      .poll(() => ledgers.append("full/eu", note(-1)).then(() => "recorded", String), { timeout: 50_000 })
      .toBe("recorded");

    const stored = await pool.query<{ seq: string; entry: string; hash: string; prev: string; payloads: string }>(
      `SELECT l.seq, l.entry, encode(l.hash, 'hex') AS hash, encode(l.prev_hash, 'hex') AS prev,
              count(p.seq) AS payloads
         FROM oc_audit_log l LEFT JOIN oc_audit_payload p USING (ledger, seq)
        WHERE l.ledger = 'full/eu' GROUP BY 1, 2, 3, 4 ORDER BY l.seq`,
    );
    const bySeq = new Map(stored.rows.map((row) => [row.seq, row]));
    for (const entry of acknowledged) expect(bySeq.get(String(entry.seq))?.hash).toBe(entry.hash);
    for (const [index, row] of stored.rows.entries()) {
      expect(row.seq).toBe(String(index + 1));
      expect(sha256Hex(row.entry)).toBe(row.hash);
      if (index > 0) {
        expect(row.prev).toBe(stored.rows[index - 1]?.hash);
        expect(row.payloads).toBe("1");
      }
    }
    await ledgers.close();
    await pool.end();
  });
});
