import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { EmbeddedPostgresError } from "./error.ts";

const run = promisify(execFile);

/** The major version of the shipped programs, such as 18. */
export async function shippedMajor(postgres: string): Promise<number> {
  const { stdout } = await run(postgres, ["--version"]);
  const major = Number(/\(PostgreSQL\) (\d+)/.exec(stdout)?.[1]);
  if (Number.isInteger(major)) return major;
  throw new EmbeddedPostgresError("BROKEN_INSTALLATION", `${postgres} does not say its version but: ${stdout.trim()}`);
}

/**
 * Proves that the shipped programs can run the cluster of `dataDir`: the files of one major version of PostgreSQL cannot be used by
 * another. Throws OTHER_POSTGRES_VERSION with the way to upgrade.
 */
export async function assertSameMajor(dataDir: string, postgres: string): Promise<void> {
  const text = (await readFile(join(dataDir, "postgres", "PG_VERSION"), "utf8")).trim();
  const shipped = await shippedMajor(postgres);
  if (text === String(shipped)) return;
  const what = `The database in DATA_DIR ${dataDir} is of PostgreSQL ${text}, and this version of Countersign runs PostgreSQL ${shipped}`;
  const way =
    Number(text) < shipped
      ? "With the version that ran it last, run `countersign backup DIRECTORY`; with this one, run `countersign restore DIRECTORY` " +
        "into a new DATA_DIR. Nothing was changed"
      : "Use the newer version of Countersign that ran it last. Nothing was changed";
  throw new EmbeddedPostgresError("OTHER_POSTGRES_VERSION", `${what}. ${way}.`);
}
