import { accessSync, constants } from "node:fs";
import path from "node:path";
import type { ProjectName } from "../projects.ts";

/** Programs of Debian that tests of a project run, as `<program>: <package>`. Node and PostgreSQL come with `npm ci`. */
export const programs: Readonly<Partial<Record<ProjectName, Readonly<Record<string, string>>>>> = {
  browser: { chromium: "chromium" },
};

function isInstalled(program: string): boolean {
  return (process.env.PATH ?? "").split(path.delimiter).some((folder) => {
    try {
      accessSync(path.join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** The Debian packages that `project` needs and that are not installed. */
export function missingPackages(project: ProjectName): readonly string[] {
  const needed = Object.entries(programs[project] ?? {});
  return needed.flatMap(([program, debianPackage]) => (isInstalled(program) ? [] : [debianPackage]));
}
