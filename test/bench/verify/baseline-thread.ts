import { hash } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { Client } from "pg";
import { copyOut } from "../../../src/db/copy-out.ts";
import { createEntryReader, selectEntries } from "../../../src/ledger/verify/entries.ts";
import { inSnapshot } from "../../../src/ledger/verify/session.ts";
import type { Part } from "./baseline.ts";

/** Reads and hashes parts of a ledger on a connection of its own. `baseline.ts` starts and ends it. */

const ROWS = 2_000n;
/** No baseline pays for turning text into values. */
const AS_TEXT = { getTypeParser: () => (value: unknown) => value };
const ENTRY = 1;
const IN_SQL = `SELECT count(sha256(convert_to(l.entry, 'UTF8'))) AS entries, count(sha256(convert_to(p.payload::text, 'UTF8')))
  FROM public.oc_audit_log l
  LEFT JOIN public.oc_audit_payload p ON p.ledger = $1 AND p.seq = l.seq AND p.seq BETWEEN $2 AND $3
 WHERE l.ledger = $1 AND l.seq BETWEEN $2 AND $3`;

const client = new Client({ connectionString: workerData as string });
await client.connect();
parentPort?.on("message", async (part: Part | "end") => {
  if (part !== "end") return parentPort?.postMessage(await read(part));
  parentPort?.close();
  await client.end();
});
parentPort?.postMessage("ready");

function read(part: Part): Promise<number> {
  if (part.baseline === "rows") return readRows(part);
  return part.baseline === "copy" ? readCopy(part) : hashInside(part);
}

async function readRows({ ledger, from, to }: Part): Promise<number> {
  let entries = 0;
  for (let at = from; at <= to; at += ROWS) {
    const last = at + ROWS - 1n < to ? at + ROWS - 1n : to;
    const text = selectEntries(ledger, { from: at + 1n, to: last });
    const { rows } = await inSnapshot(client, () =>
      client.query<(string | null)[]>({ text, rowMode: "array", types: AS_TEXT }),
    );
    for (const row of rows) {
      hash("sha256", row[ENTRY] ?? "");
      const payload = row.at(-1);
      if (typeof payload === "string") hash("sha256", payload);
    }
    entries += rows.length;
  }
  return entries;
}

async function readCopy({ ledger, from, to }: Part): Promise<number> {
  let entries = 0;
  const toEntry = createEntryReader();
  await inSnapshot(client, () =>
    copyOut(client, selectEntries(ledger, { from: from + 1n, to }), (row) => {
      const { entry, payload } = toEntry(row);
      hash("sha256", entry);
      if (payload !== null) hash("sha256", payload);
      entries += 1;
    }),
  );
  return entries;
}

async function hashInside({ ledger, from, to }: Part): Promise<number> {
  const { rows } = await client.query<{ entries: string }>(IN_SQL, [ledger, String(from), String(to)]);
  return Number(rows[0]?.entries);
}
