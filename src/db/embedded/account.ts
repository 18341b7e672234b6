import { execFile } from "node:child_process";
import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { promisify } from "node:util";
import { EmbeddedPostgresError } from "./error.ts";

const run = promisify(execFile);

/** The operating system user the database runs as; absent when that is simply us. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /**
   * Some directory on the way is closed to the account (a checkout below /root, or in a directory of mktemp). Root then
   * lends it the two capabilities that pass file permissions, and nothing else of itself.
   */
  readonly passesPermissions: boolean;
}

async function lookUp(name: string): Promise<Account | undefined> {
  try {
    const [uid, gid] = await Promise.all([run("id", ["-u", name]), run("id", ["-g", name])]);
    return { name, uid: Number(uid.stdout), gid: Number(gid.stdout), passesPermissions: false };
  } catch (error) {
    // id exits with 1 for a name it does not know.
    if (error instanceof Error && "code" in error && error.code === 1) return undefined;
    throw error;
  }
}

/**
 * PostgreSQL refuses to run as root, so root lends it an existing unprivileged user, who must be able to execute what is
 * at each of `paths` (enter it, where it is a directory).
 */
export async function chooseAccount(paths: readonly string[]): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const account = (await lookUp("postgres")) ?? (await lookUp("nobody"));
  if (account === undefined || account.uid === 0) {
    throw new EmbeddedPostgresError(
      "NO_UNPRIVILEGED_USER",
      "PostgreSQL does not run as root and there is no user `postgres` or `nobody` to run it as. " +
        "Create one, start the server as another user, or set DATABASE_URL.",
    );
  }
  if (await canExecute(account, paths)) return account;
  const capable = { ...account, passesPermissions: true };
  // If that is impossible too, the error of the plain account names the obstacle.
  return (await canExecute(capable, paths)) ? capable : account;
}

async function canExecute(account: Account, paths: readonly string[]): Promise<boolean> {
  const { program, args, identity } = commandAs(account, "/bin/sh", [
    "-c",
    'for path; do test -x "$path" || exit 1; done',
    "sh",
    ...paths,
  ]);
  try {
    await run(program, [...args], { cwd: "/", ...identity });
    return true;
  } catch (error) {
    // The result of the test, setpriv's error that it lacks the privilege, or that there is no setpriv.
    if (error instanceof Error && "code" in error && (typeof error.code === "number" || error.code === "ENOENT")) {
      return false;
    }
    throw error;
  }
}

const CAPABILITIES = "+dac_override,+dac_read_search";

/** What to spawn, and as whom, to run `program` as the account. */
export function commandAs(account: Account | undefined, program: string, args: readonly string[]) {
  if (account === undefined) return { program, args, identity: {} };
  const { uid, gid, passesPermissions } = account;
  if (!passesPermissions) return { program, args, identity: { uid, gid } };
  const lend = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", `--inh-caps=${CAPABILITIES}`];
  // Without it access(2), with which initdb looks for postgres, leaves the capabilities of all but root out of account.
  const counted = "--securebits=+no_setuid_fixup";
  return {
    program: "setpriv",
    args: [...lend, `--ambient-caps=${CAPABILITIES}`, counted, "--", program, ...args],
    identity: {},
  };
}

async function firstClosedDirectory(account: Account, path: string): Promise<string | undefined> {
  const parents: string[] = [];
  for (let at = resolve(path); at !== dirname(at); at = dirname(at)) parents.unshift(dirname(at));
  for (const directory of parents) {
    const { mode, uid, gid } = await stat(directory);
    const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return directory;
  }
  return undefined;
}

/**
 * Proves that the account can reach `path` and execute it (for a directory: enter and, with `write`, fill it).
 * Throws an error that names the inaccessible directory.
 */
export async function assertReachable(account: Account | undefined, path: string, access: "execute" | "write") {
  const test = access === "write" ? 'test -x "$1" && test -w "$1"' : 'test -x "$1"';
  try {
    const { program, args, identity } = commandAs(account, "/bin/sh", ["-c", test, "sh", path]);
    await run(program, [...args], { cwd: "/", ...identity });
  } catch (cause) {
    const closed = account === undefined ? undefined : await firstClosedDirectory(account, path);
    const who = account === undefined ? "This user" : `User ${account.name}, which runs PostgreSQL for root,`;
    const remedy =
      closed === undefined
        ? `check the permissions of ${path}`
        : `run \`chmod o+x ${closed}\`, or move ${access === "write" ? "DATA_DIR" : "the checkout"} elsewhere`;
    throw new EmbeddedPostgresError(
      "UNREACHABLE_DIRECTORY",
      `${who} cannot ${access === "write" ? "write to" : "execute"} ${path}: ` +
        `${closed === undefined ? "permission denied" : `directory ${closed} is closed to it`}. ` +
        `Either ${remedy}, or set DATABASE_URL.`,
      { cause },
    );
  }
}
