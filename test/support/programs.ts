import { accessSync, constants, globSync } from "node:fs";
import path from "node:path";
import type { ProjectName } from "../projects.ts";

/** Programs of Debian that tests of a project run, as `<program>: <package>`. Node and PostgreSQL come with `npm ci`. */
export const programs: Readonly<Partial<Record<ProjectName, Readonly<Record<string, string>>>>> = {
  browser: { chromium: "chromium" },
  python: { python3: "python3" },
  network: { nginx: "nginx-light", openssl: "openssl" },
  odbc: { isql: "unixodbc", psql: "postgresql-client" },
};

/** Files of further packages of Debian, as `<pattern>: <package>`. */
const files: Readonly<Partial<Record<ProjectName, Readonly<Record<string, string>>>>> = {
  odbc: {
    "/usr/bin/python3": "python3",
    "/usr/lib/*/odbc/psqlodbcw.so": "odbc-postgresql",
    "/usr/lib/python3/dist-packages/pyodbc*.so": "python3-pyodbc",
  },
};

/** Where Debian keeps the programs of services: it is in the PATH of root alone. */
const SYSTEM_PROGRAMS = "/usr/sbin";

/** The path of an installed program; undefined when it is not installed. */
export function pathOf(program: string): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(path.delimiter), SYSTEM_PROGRAMS];
  return folders
    .map((folder) => path.join(folder, program))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** Projects with tests that mount a file system or work with the files of several accounts. */
const needRoot: readonly ProjectName[] = ["root"];

/** Why the tests of `project` are skipped; undefined when they run. */
export function whySkipped(project: ProjectName): string | undefined {
  const missing = missingPackages(project).join(" ");
  if (missing !== "") return `the project ${project} needs: apt-get install ${missing}`;
  if (needRoot.includes(project) && process.getuid?.() !== 0) return `the project ${project} needs to be run by root`;
  return undefined;
}

/** The Debian packages that `project` needs and that are not installed. */
export function missingPackages(project: ProjectName): readonly string[] {
  const ofPrograms = Object.entries(programs[project] ?? {});
  const ofFiles = Object.entries(files[project] ?? {});
  return [
    ...ofPrograms.flatMap(([program, debianPackage]) => (pathOf(program) === undefined ? [debianPackage] : [])),
    ...ofFiles.flatMap(([pattern, debianPackage]) => (globSync(pattern).length === 0 ? [debianPackage] : [])),
  ];
}
