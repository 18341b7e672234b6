import path from "node:path";
import { defineConfig, type TestProjectConfiguration } from "vitest/config";
import { findTests, type ProjectName } from "./projects.ts";
import { whySkipped } from "./support/programs.ts";
import { SkipReporter } from "./support/skip-reporter.ts";

const root = path.resolve(import.meta.dirname, "..");
const tests = findTests(root);

/** Settings in which a project differs from the others. */
type Settings = NonNullable<Extract<TestProjectConfiguration, { test?: unknown }>["test"]>;

const onSharedServer: Settings = { globalSetup: ["test/support/global-setup.ts"] };

const settings: Readonly<Record<ProjectName, Settings>> = {
  // Modules are loaded once for all files, since nothing but what a test makes itself has state.
  unit: { isolate: false, setupFiles: ["test/support/only-in-process.ts"] },
  database: onSharedServer,
  plans: onSharedServer,
  server: onSharedServer,
  browser: onSharedServer,
  python: onSharedServer,
  network: onSharedServer,
  odbc: onSharedServer,
  // After all the others and one at a time: a full disk or a killed database would be theirs as well.
  faults: { ...onSharedServer, maxWorkers: 1, sequence: { groupOrder: 1 } },
  root: { ...onSharedServer, maxWorkers: 1, sequence: { groupOrder: 2 } },
};

const report = process.env.TEST_REPORT;

function project(name: ProjectName, files: readonly string[]): TestProjectConfiguration {
  const skipping = whySkipped(name) !== undefined ? { runner: "test/support/skipping-runner.ts" } : {};
  return { extends: true, test: { name, include: [...files], ...settings[name], ...skipping } };
}

export default defineConfig({
  root,
  // Node's own conditions: with Vite's "development", graphql would be there twice, once for us and once for Yoga.
  ssr: { resolve: { conditions: ["node", "module-sync"] } },
  test: {
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // TEST_REPORT: a file to write the results to as JSON, besides.
    reporters: [
      "default",
      new SkipReporter(),
      ...(report ? [["json", { outputFile: report }] satisfies [string, object]] : []),
    ],
    projects: [...tests].filter(([, files]) => files.length > 0).map(([name, files]) => project(name, files)),
  },
});
