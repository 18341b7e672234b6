import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { replaceDurably } from "../../files.ts";

/** The database of the cluster that is Countersign's. */
export const DATABASE = "countersign";

const Record = z.object({
  /** Superuser URL of database `countersign`. */
  url: z.string(),
  user: z.string(),
  password: z.string(),
  port: z.number().int(),
  /** The running postmaster; null while stopped. */
  pid: z.number().int().nullable(),
  /** The server process that keeps it running; null while stopped. */
  owner: z.number().int().nullable(),
  /** Passwords of the logins that are no superuser, by role, new at every start; a record of an earlier version has none. */
  logins: z.record(z.string(), z.string()).optional(),
});

/** The content of `<dataDir>/postgres.json`: address and processes of the built-in PostgreSQL. Contains a secret. */
export type ClusterRecord = Readonly<z.infer<typeof Record>>;

const file = (dataDir: string) => join(dataDir, "postgres.json");

/** The address of `database` on the cluster's port of this machine, with the password. */
export function clusterUrl(at: { user: string; password: string; port: number }, database: string): string {
  return `postgresql://${at.user}:${at.password}@127.0.0.1:${at.port}/${database}`;
}

/** The address of database `countersign` for a login of `letIn` (logins.ts); undefined when the record has no such login. */
export function loginUrl({ logins, port }: ClusterRecord, role: string): string | undefined {
  const password = logins?.[role];
  return password === undefined ? undefined : clusterUrl({ user: role, password, port }, DATABASE);
}

/** Undefined when there is no record, or none that can be used. */
export async function readRecord(dataDir: string): Promise<ClusterRecord | undefined> {
  try {
    return Record.parse(JSON.parse(await readFile(file(dataDir), "utf8")));
  } catch (error) {
    const absent = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (absent || error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
    throw error;
  }
}

/** A half-written record would lose the password. */
export async function writeRecord(dataDir: string, record: ClusterRecord): Promise<void> {
  await replaceDurably(file(dataDir), `${JSON.stringify(record, null, 2)}\n`);
}
