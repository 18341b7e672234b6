import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";
import { factJwks } from "../../src/domain/identity/fact-keys.ts";
import { FACT_KEYS } from "../support/fact-keys.ts";

/** The verifier in Python, which was written from FORMAT.md and the vectors alone. */
export const PYTHON_FOLDER = path.resolve(import.meta.dirname, "../../clients/verify/python");

const run = promisify(execFile);

/** What its command reports, as far as tests look into it. */
export interface Report {
  readonly verdict: string;
  readonly problems: readonly { readonly verdict: string; readonly seq: string | null }[];
}

/** Lines of the files that it reads (FORMAT.md, section 10), without their line feeds. */
export interface TextLines {
  readonly entries: readonly string[];
  readonly payloads: readonly string[];
}

/** A ledger as a superuser reads it from the tables. */
export async function readLines(superuserUrl: string, ledger: string): Promise<TextLines> {
  const client = new Client({ connectionString: superuserUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ seq: string; entry: string; payload: string | null }>(
      `SELECT e.seq, e.entry, p.payload::text AS payload FROM oc_audit_log e LEFT JOIN oc_audit_payload p USING (ledger, seq)
        WHERE ledger = $1 ORDER BY e.seq`,
      [ledger],
    );
    const payloads = rows.flatMap(({ seq, payload }) => (payload === null ? [] : [`${seq} ${payload}`]));
    return { entries: rows.map(({ entry }) => entry), payloads };
  } finally {
    await client.end();
  }
}

/** Runs its command on a ledger that was signed with one of `keys`; left out: the key of tests. */
export async function verifyInPython(
  ledger: string,
  { entries, payloads }: TextLines,
  keys: Parameters<typeof factJwks>[0] = FACT_KEYS,
): Promise<Report> {
  const directory = await mkdtemp(path.join(tmpdir(), "countersign-python-"));
  const fileOf = (name: string) => path.join(directory, name);
  const linesOf = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join("");
  try {
    await writeFile(fileOf("entries"), linesOf(entries));
    await writeFile(fileOf("payloads"), linesOf(payloads));
    await writeFile(fileOf("keys"), JSON.stringify(factJwks(keys)));
    const files = ["--keys", fileOf("keys"), "--payloads", fileOf("payloads"), "--json", fileOf("entries")];
    const args = ["-B", "-m", "countersign_verify", "--ledger", ledger, ...files];
    const { stdout } = await run("python3", args, { cwd: PYTHON_FOLDER, maxBuffer: 1e8 }).catch((error) => {
      if (error.code !== 1) throw error;
      return error as { readonly stdout: string };
    });
    return JSON.parse(stdout) as Report;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
