import type { Reporter, TestModule, TestSuite } from "vitest/node";
import { projectNames } from "../projects.ts";
import { whySkipped } from "./programs.ts";

/** At the end of a run, names every test that was skipped, and why. */
export class SkipReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const module of modules) {
      // With a pattern of names, most are left out on purpose.
      if (module.project.globalConfig.testNamePattern !== undefined) return;
      for (const test of module.children.allTests("skipped")) {
        const result = test.result();
        const said = result.state === "skipped" ? result.note : undefined;
        const broken = module.errors().length > 0 || hasErrors(test.parent) ? "what comes before it failed" : undefined;
        const why = said ?? broken ?? whySkippedBy(module.project.name) ?? "its title says why";
        console.log(`SKIPPED ${module.relativeModuleId} > ${test.fullName}: ${why}`);
      }
    }
  }
}

function whySkippedBy(project: string): string | undefined {
  const name = projectNames.find((known) => known === project);
  return name && whySkipped(name);
}

function hasErrors(suite: TestSuite | TestModule): boolean {
  return suite.errors().length > 0 || (suite.type === "suite" && hasErrors(suite.parent));
}
