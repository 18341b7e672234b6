import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createGzip } from "node:zlib";
import { escapeIdentifier, type Pool, type PoolClient } from "pg";
import { to as copyTo } from "pg-copy-streams";
import { syncDirectory } from "../../files.ts";
import { LEDGER_TABLES } from "../tables.ts";
import { BACKUP_FORMAT, type BackedUpTable, type BackupManifest, hashOf, MANIFEST, manifestText } from "./manifest.ts";

export interface BackupOptions {
  /** May read all tables of the ledger; one connection is used. Its statements must have no time limit. */
  readonly pool: Pool;
  /** Where the backup will be; there must be nothing. */
  readonly directory: string;
  readonly countersign: string;
  readonly publicKeys: BackupManifest["publicKeys"];
  /** The file with the private keys, to be part of the backup. */
  readonly keyFile?: string | undefined;
  /** Rows that were written, of about how many. */
  readonly onProgress?: (done: number, total: number, table: string) => void;
}

export interface WrittenBackup {
  readonly manifest: BackupManifest;
  /** Of the manifest: kept elsewhere, it proves that the backup is the same. */
  readonly sha256: string;
}

/** All settings that the text of COPY depends on. */
export const COPY_SETTINGS =
  "SET LOCAL datestyle = 'ISO, MDY'; SET LOCAL timezone = 'UTC'; SET LOCAL bytea_output = 'hex'; SET LOCAL client_encoding = 'UTF8'";

/**
 * Writes a backup of one moment, while servers append. Written beside its place and renamed once all of it is on disk: what was
 * interrupted is `<directory>.unfinished-…`, without a manifest. Rejects with the error of the database or of the file system.
 */
export async function writeBackup(options: BackupOptions): Promise<WrittenBackup> {
  const { pool, directory } = options;
  const parent = dirname(directory);
  const unfinished = await mkdtemp(join(parent, `${basename(directory)}.unfinished-`));
  const client = await pool.connect();
  let failed = true;
  try {
    const manifest = await writeFiles(client, unfinished, options);
    const text = manifestText(manifest);
    await writeFile(join(unfinished, MANIFEST), text, { mode: 0o600, flag: "wx", flush: true });
    await syncDirectory(unfinished);
    await rename(unfinished, directory);
    await syncDirectory(parent);
    failed = false;
    return { manifest, sha256: hashOf(text) };
  } finally {
    // After a failure the connection may be in the middle of a COPY.
    client.release(failed);
    if (failed) await rm(unfinished, { recursive: true, force: true });
  }
}

async function writeFiles(client: PoolClient, directory: string, options: BackupOptions): Promise<BackupManifest> {
  // Locked before the snapshot is taken: rows that move into other partitions in between would be seen in neither.
  const locks = LEDGER_TABLES.map((table) => `LOCK TABLE ONLY public.${table} IN ACCESS SHARE MODE`).join("; ");
  await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${COPY_SETTINGS}; ${locks}`);
  const about = await describe(client);
  // Entries and payloads make up nearly all rows.
  const total = about.ledgers.reduce((sum, { seq }) => sum + 2 * Number(seq), 0);
  let done = 0;
  const tables: BackedUpTable[] = [];
  for (const name of LEDGER_TABLES) {
    const before = done;
    const onRows = (rows: number) => {
      done += rows;
      options.onProgress?.(Math.min(done, total), total, name);
    };
    tables.push(await writeTable(client, name, directory, onRows));
    if (name === "oc_audit_log" || name === "oc_audit_payload") done = before + total / 2;
  }
  await client.query("COMMIT");
  return {
    format: BACKUP_FORMAT,
    ...about,
    countersign: options.countersign,
    tables,
    publicKeys: options.publicKeys,
    keys: options.keyFile === undefined ? null : await copyKeys(options.keyFile, directory),
  };
}

interface About {
  readonly madeAt: string;
  readonly postgres: string;
  readonly migration: string;
  readonly ledgers: BackupManifest["ledgers"];
  readonly months: BackupManifest["months"];
}

async function describe(client: PoolClient): Promise<About> {
  const { rows } = await client.query<About>(`
    SELECT to_char(now(), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "madeAt", current_setting('server_version') AS postgres,
           (SELECT name FROM public.oc_migrations ORDER BY id DESC LIMIT 1) AS migration,
           (SELECT coalesce(json_agg(json_build_object('ledger', ledger, 'seq', seq::text, 'hash', encode(hash, 'hex')) ORDER BY ledger),
                            '[]') FROM public.oc_ledger_head) AS ledgers,
           (SELECT coalesce(json_agg(m.day ORDER BY m.day), '[]')
              FROM (SELECT DISTINCT to_char(starts, 'YYYY-MM-DD') AS day FROM public.oc_ledger_month) m) AS months`);
  const [about] = rows;
  if (about === undefined) throw new Error("the database says nothing of itself");
  return about;
}

async function columnsOf(client: PoolClient, table: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT attname AS name FROM pg_catalog.pg_attribute
      WHERE attrelid = $1::pg_catalog.regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`,
    [`public.${table}`],
  );
  return rows.map(({ name }) => name);
}

async function writeTable(
  client: PoolClient,
  name: BackedUpTable["name"],
  directory: string,
  onRows: (rows: number) => void,
): Promise<BackedUpTable> {
  const columns = [...(await columnsOf(client, name))];
  const file = `${name}.copy.gz`;
  const hash = createHash("sha256");
  let bytes = 0;
  const rows = client.query(
    copyTo(`COPY (SELECT ${columns.map(escapeIdentifier).join(", ")} FROM public.${name}) TO STDOUT`),
  );
  const counted = through((chunk) => onRows(linesIn(chunk)));
  const hashed = through((chunk) => {
    hash.update(chunk);
    bytes += chunk.length;
  });
  // Without a higher level: text of entries becomes a fifth in a fraction of the time.
  const compressed = createGzip({ level: constants.Z_BEST_SPEED });
  const target = createWriteStream(join(directory, file), { mode: 0o600, flags: "wx", flush: true });
  await pipeline(rows, counted, compressed, hashed, target);
  return { name, columns, rows: rows.rowCount, file, bytes, sha256: hash.digest("hex") };
}

/** Passes everything on, and shows it to `look`. */
function through(look: (chunk: Buffer) => void): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, next) {
      look(chunk);
      next(null, chunk);
    },
  });
}

/** COPY ends each row with a line feed, and writes those within values otherwise. */
function linesIn(chunk: Buffer): number {
  let lines = 0;
  for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines += 1;
  return lines;
}

async function copyKeys(keyFile: string, directory: string): Promise<NonNullable<BackupManifest["keys"]>> {
  const target = join(directory, "keys.json");
  const bytes = await readFile(keyFile);
  await writeFile(target, bytes, { mode: 0o600, flag: "wx", flush: true });
  return { file: "keys.json", bytes: (await stat(target)).size, sha256: hashOf(bytes) };
}
