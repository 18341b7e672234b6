import { globSync } from "node:fs";
import path from "node:path";

/** What tests need, from least to most; README.md in this folder says what belongs where. */
export const projectNames = [
  "unit",
  "database",
  "plans",
  "server",
  "browser",
  "python",
  "network",
  "odbc",
  "faults",
  "root",
] as const;
export type ProjectName = (typeof projectNames)[number];

/** The project of a file whose name does not say one. The longest folder that holds the file counts. */
const folders: Readonly<Record<string, ProjectName>> = {
  test: "unit",
  "test/browser": "browser",
  "test/channels": "server",
  "test/cli": "server",
  "test/clients": "server",
  "test/db": "database",
  "test/domain": "database",
  "test/domain/identity": "unit",
  "test/domain/policy": "unit",
  "test/faults": "faults",
  "test/graphql": "server",
  "test/http": "server",
  "test/jobs": "database",
  "test/ledger": "database",
  "test/product": "server",
};

const isProjectName = (name: string): name is ProjectName => projectNames.some((known) => known === name);

/**
 * The project of a test file, by its path from the root: `append.plans.test.ts` is of `plans` wherever it lies,
 * `append.test.ts` of the project of its folder. Throws for a name that is no project's.
 */
export function projectOf(file: string): ProjectName {
  const [, named] = /\.([a-z]+)\.test\.ts$/.exec(file) ?? [];
  if (named !== undefined) {
    if (isProjectName(named)) return named;
    throw new Error(`${file}: "${named}" is no project; name it after one of ${projectNames.join(", ")}`);
  }
  for (let folder = path.posix.dirname(file); folder !== "."; folder = path.posix.dirname(folder)) {
    const project = folders[folder];
    if (project !== undefined) return project;
  }
  throw new Error(`${file} is in no folder of a project`);
}

/** Every test file below `root`, by project. */
export function findTests(root: string): ReadonlyMap<ProjectName, readonly string[]> {
  const files = globSync("test/**/*.test.ts", { cwd: root }).map((file) => file.split(path.sep).join("/"));
  return new Map(projectNames.map((name) => [name, files.filter((file) => projectOf(file) === name).sort()]));
}
