import { type StdioOptions, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { access, chown, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { syncDirectory } from "../../files.ts";
import { type Account, assertReachable, commandAs } from "./account.ts";
import type { Binaries } from "./binaries.ts";
import { EmbeddedPostgresError } from "./error.ts";

/** Nothing of the caller's environment may steer PostgreSQL (PGDATA, PGOPTIONS, locales). */
export const environment = { LC_ALL: "C", PATH: "/usr/bin:/bin" } as const;

export const superuser = "postgres";

/** Written to postgresql.conf once, so that an operator may edit them there. */
const initialSettings: Readonly<Record<string, string>> = {
  max_connections: "200",
  shared_buffers: "256MB",
  max_wal_size: "4GB",
  timezone: "UTC",
  log_timezone: "UTC",
};

export const newPassword = () => randomBytes(24).toString("base64url");

export async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}

interface Execution {
  readonly account: Account | undefined;
  readonly cwd: string;
  readonly input?: string;
}

function execute(program: string, args: readonly string[], { account, cwd, input }: Execution): Promise<void> {
  const stdio: StdioOptions = ["pipe", "ignore", "pipe"];
  return new Promise((resolve, reject) => {
    const command = commandAs(account, program, args);
    const child = spawn(command.program, command.args, { ...command.identity, cwd, env: environment, stdio });
    let complaint = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      complaint += text;
    });
    // A program that ends early closes its input; its exit code and output have the reason.
    child.stdin?.on("error", (error) => {
      complaint += `${error.message}\n`;
    });
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve();
      else reject(new EmbeddedPostgresError("INIT_FAILED", `${program} ended with ${code}: ${complaint.trim()}`));
    });
    child.stdin?.end(input ?? "");
  });
}

/** Lets the account own a fresh directory or file that we made. */
async function give(path: string, account: Account | undefined): Promise<void> {
  if (account !== undefined) await chown(path, account.uid, account.gid);
}

/**
 * Creates the database cluster `<dataDir>/postgres`, all of it or nothing: built beside its final place and renamed, so
 * that a machine that dies half way leaves something that the next start throws away.
 */
export async function createCluster(
  binaries: Binaries,
  dataDir: string,
  account: Account | undefined,
  password: string,
): Promise<void> {
  const next = join(dataDir, "postgres.new");
  const passwordFile = join(dataDir, "postgres.new.password");
  await rm(next, { recursive: true, force: true });
  await mkdir(next, { mode: 0o700 });
  await give(next, account);
  await assertReachable(account, next, "write");
  try {
    await rm(passwordFile, { force: true });
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600, flag: "wx" });
    await give(passwordFile, account);
    const settings = Object.entries(initialSettings).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
    const args = [
      `--pgdata=${next}`,
      `--username=${superuser}`,
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      "--locale=C",
      "--locale-provider=builtin",
      "--builtin-locale=C.UTF-8",
      "--data-checksums",
      ...settings,
    ];
    await execute(binaries.initdb, args, { account, cwd: next });
  } finally {
    await rm(passwordFile, { force: true });
  }
  await rename(next, join(dataDir, "postgres"));
  await syncDirectory(dataDir);
}

/** Gives the superuser a new password without knowing the old one, for a cluster whose record was lost. Not while running. */
export async function resetPassword(
  binaries: Binaries,
  cluster: string,
  account: Account | undefined,
  password: string,
): Promise<void> {
  // Single-user mode reads one statement a line and executes it as the superuser, without authentication.
  await execute(binaries.postgres, ["--single", "-D", cluster, "postgres"], {
    account,
    cwd: cluster,
    input: `ALTER ROLE ${superuser} PASSWORD '${password}'\n`,
  });
}
