import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { ConfigurationError } from "../../errors.ts";
import { isLedgerId } from "../../facts/entry.ts";
import { readJsonFile } from "../../json-file.ts";
import { LEDGER_TABLES } from "../tables.ts";

export const MANIFEST = "manifest.json";
/** Of what is in the directory, not of entries. */
export const BACKUP_FORMAT = 1;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "has to be 64 hex digits");
const count = z.int().min(0);
const ledgerId = z.string().refine(isLedgerId, "has to be <organization>/<region>");
const manifest = z.object({
  format: z.literal(BACKUP_FORMAT),
  /** Of the snapshot, by the clock of the database. */
  madeAt: z.iso.datetime(),
  /** Versions of Countersign and PostgreSQL, for people. */
  countersign: z.string(),
  postgres: z.string(),
  /** Name of the newest migration of the database. */
  migration: z.string().regex(/^\d{6}_\w+$/),
  ledgers: z.array(z.object({ ledger: ledgerId, seq: z.string().regex(/^\d{1,19}$/), hash: sha256 })),
  /** First days of the months (UTC) with entries. */
  months: z.array(z.iso.date()),
  tables: z.array(
    z.object({
      name: z.enum(LEDGER_TABLES),
      columns: z.array(z.string().regex(/^[a-z_][a-z0-9_]*$/)).min(1),
      rows: count,
      file: z.string().regex(/^[a-z_]+\.copy\.gz$/),
      bytes: count,
      sha256,
    }),
  ),
  /** JWK set of the public keys that verify the entries' signatures. */
  publicKeys: z.object({ keys: z.array(z.looseObject({ kid: z.string() })) }),
  /** Whether the directory has the private keys as well. */
  keys: z.object({ file: z.literal("keys.json"), bytes: count, sha256 }).nullable(),
});

export type BackupManifest = Readonly<z.infer<typeof manifest>>;
export type BackedUpTable = BackupManifest["tables"][number];

export const manifestText = (value: BackupManifest): string => `${JSON.stringify(manifest.parse(value), null, 2)}\n`;

/** The hash by which a backup can be told from every other one. */
export const hashOf = (text: string | Buffer): string => createHash("sha256").update(text).digest("hex");

/**
 * The manifest of the backup in `directory`, and its hash. Throws ConfigurationError when it is no backup, or one of a format that
 * this code does not know.
 */
export async function readManifest(
  directory: string,
): Promise<{ readonly manifest: BackupManifest; readonly sha256: string }> {
  const file = join(directory, MANIFEST);
  const { value } = await readJsonFile({ file, what: "manifest of a backup", setting: "the directory" });
  const parsed = manifest.safeParse(value);
  if (parsed.success) return { manifest: parsed.data, sha256: hashOf(await readFile(file)) };
  const [issue] = parsed.error.issues;
  const where = issue?.path.join(".") || "it";
  throw new ConfigurationError(
    `${file} is no manifest of a backup that this version can read: ${where} ${issue?.message}`,
  );
}
