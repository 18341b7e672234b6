import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";

const root = path.resolve(import.meta.dirname, "../..");
const RUNTIME_IMPORT = /^(?:import|export) (?!type\b).*?\bfrom "([^"]+)"/gms;

/** The modules that a file needs when it runs. */
function importsOf(file: string): string[] {
  const text = readFileSync(path.join(root, file), "utf8");
  return [...text.matchAll(RUNTIME_IMPORT)].map(([, name = ""]) =>
    name.startsWith(".") ? path.posix.join(path.posix.dirname(file), name) : name,
  );
}

it("runs where there is neither Node nor a database", () => {
  const seen = new Set<string>(globSync("src/verify/*.ts", { cwd: root }));
  expect(seen.size).toBeGreaterThan(10);
  for (const file of seen) {
    if (!file.startsWith("src/")) continue;
    for (const name of importsOf(file)) seen.add(name);
  }
  // Plain JavaScript, without a module of Node: a browser runs it too.
  expect([...seen].filter((name) => !/^src\/(verify|facts)\//.test(name))).toEqual(["jsonc-parser"]);
  expect(seen).toContain("src/facts/canonical.ts");
});
