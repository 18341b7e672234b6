import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";

const root = path.resolve(import.meta.dirname, "..");

/** A file imports from its own layer and from those after it. */
const layers = ["http", "graphql", "domain", "ledger", "db"];
/** Leaves: every layer may import them, and they import no layer; a later one may import those before it. */
const leaves = ["facts", "verify", "json-text.ts", "json-file.ts"];
/** These wire the layers together; no layer imports from them. */
const entryPoints = ["cli", "jobs", "main", "main.ts"];
/** Anybody may import these, and they import from no layer. */
const foundations = ["errors.ts", "files.ts", "log.ts", "telemetry.ts"];
const longest = 500;
const mostFiles = 30;
const vagueNames = ["utils", "util", "helpers", "common", "services", "misc", "shared"];

type Sources = ReadonlyMap<string, string>;

const importPattern = /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+)["'](?<to>\.{1,2}\/[^"']+)["']/g;

/** `../ledger/read.ts` as imported by `src/domain/x.ts` is `src/ledger/read.ts`. */
function importsOf(file: string, text: string): readonly string[] {
  return [...text.matchAll(importPattern)].map((match) =>
    path.posix.normalize(path.posix.join(path.posix.dirname(file), match.groups?.to ?? "")),
  );
}

/** The part of `src` a file belongs to: a folder, or its own name at the top. */
function partOf(file: string): string | undefined {
  return file.startsWith("src/") ? file.split("/")[1] : undefined;
}

/** The packages a file imports, by name: `@prisma/client` of `@prisma/client/runtime/client`. */
function packagesOf(text: string): readonly string[] {
  const pattern =
    /(?:\bfrom\s*|\bimport\s*\(\s*|(?:\bimport\.meta|\))\.resolve\s*\(\s*|\bimport\s+)["'](?<name>(?:@[\w-]+\/)?[\w-][\w.-]*)(?:\/[^"']*)?["']/g;
  return [...text.matchAll(pattern)].map((match) => match.groups?.name ?? "").filter((name) => name !== "");
}

function mayImport(from: string, to: string): boolean {
  if (from === to || foundations.includes(to)) return true;
  if (entryPoints.includes(from)) return true;
  if (foundations.includes(from) || entryPoints.includes(to)) return false;
  // Settings are read once, by whoever wires; a layer is handed what it needs.
  if (to === "config-regions.ts" || to === "config-channels.ts") return from === "config.ts";
  if (to === "config.ts") return false;
  if (from === "config.ts" || from === "config-regions.ts" || from === "config-channels.ts") return false;
  if (leaves.includes(to)) return !leaves.includes(from) || leaves.indexOf(to) < leaves.indexOf(from);
  if (leaves.includes(from)) return false;
  const [upper, lower] = [layers.indexOf(from), layers.indexOf(to)];
  return upper !== -1 && lower !== -1 && upper < lower;
}

function forbiddenImports(sources: Sources): readonly string[] {
  return [...sources].flatMap(([file, text]) =>
    importsOf(file, text)
      .filter((target) => {
        const [from, to] = [partOf(file), partOf(target)];
        // package.json is data; nothing else outside src is there when the product runs.
        if (to === undefined) return target !== "package.json";
        return from === undefined || !mayImport(from, to);
      })
      .map((target) => `${file} imports ${target}`),
  );
}

/** What `file` exports under a name, values and types. */
function exportsOf(text: string): readonly string[] {
  const declared =
    /^export (?:async |abstract |declare )*(?:function\*?|const|let|class|enum|interface|type) (?<name>\w+)/gm;
  return [...text.matchAll(declared)].map((match) => match.groups?.name ?? "");
}

/** Names that `file` imports, or exports again, as `src/ledger/read.ts readEntry`. */
function namesImported(file: string, text: string): readonly string[] {
  const folder = path.posix.dirname(file);
  const statically = /\b(?:import|export)\s+(?:type\s+)?\{(?<names>[^}]*)\}\s*from\s*["'](?<to>\.{1,2}\/[^"']+)["']/g;
  const dynamically = /\{(?<names>[^{}]*)\}\s*=\s*await\s+import\s*\(\s*["'](?<to>\.{1,2}\/[^"']+)["']/g;
  return [...text.matchAll(statically), ...text.matchAll(dynamically)].flatMap(({ groups }) => {
    const target = path.posix.normalize(path.posix.join(folder, groups?.to ?? ""));
    const names = (groups?.names ?? "").split(",").map((name) => /^(?:type\s+)?(\w+)/.exec(name.trim())?.[1]);
    return names.flatMap((name) => (name === undefined ? [] : [`${target} ${name}`]));
  });
}

/** Exports of `sources` that no file of `users` imports and that their own file does not use either. */
function unusedExports(sources: Sources, users: Sources): readonly string[] {
  const imported = new Set([...users].flatMap(([file, text]) => namesImported(file, text)));
  return [...sources].flatMap(([file, text]) =>
    exportsOf(text)
      .filter((name) => [...text.matchAll(new RegExp(`\\b${name}\\b`, "g"))].length === 1)
      .map((name) => `${file} ${name}`)
      .filter((name) => !imported.has(name)),
  );
}

/** Imports of one area of the domain by another, as `sessions -> identity`. */
function areaImports(sources: Sources): ReadonlySet<string> {
  const areaOf = (file: string) => /^src\/domain\/([^/]+)\//.exec(file)?.[1];
  return new Set(
    [...sources].flatMap(([file, text]) => {
      const from = areaOf(file);
      const areas = importsOf(file, text).map(areaOf);
      return areas.flatMap((to) => (from === undefined || to === undefined || to === from ? [] : [`${from} -> ${to}`]));
    }),
  );
}

/** The areas that import each other in a circle. */
function circularAreas(imports: ReadonlySet<string>): readonly string[] {
  const edges = [...imports].map((edge) => edge.split(" -> ") as [string, string]);
  let areas = new Set(edges.flat());
  for (;;) {
    // Whoever imports none of those left is in no circle.
    const left = new Set([...areas].filter((area) => edges.some(([from, to]) => from === area && areas.has(to))));
    if (left.size === areas.size) return [...left].sort();
    areas = left;
  }
}

function environmentReaders(sources: Sources): readonly string[] {
  return [...sources].filter(([, text]) => /\bprocess\s*(\.|\[\s*["'])\s*env\b/.test(text)).map(([file]) => file);
}

/** Whoever parses JSON with V8's own parser, which can return wrong names: see src/facts/parse-json.ts. */
const jsonParsers: Readonly<Record<string, string>> = {
  "src/cli/api.ts": "answers of our server, whose names are those of the schema, but for JSON values that are printed",
  "src/cli/health.ts": "answers of our server, of fixed names",
  "src/db/embedded/record.ts": "a file of ours, of fixed names",
  "src/domain/actions/grants.ts": "signed by us, of fixed names",
  "src/facts/parse-json.ts": "checks what it reads",
  "src/http/graphiql-page.ts": "in the browser: what GraphiQL stored, of fixed names",
  "src/http/strict-json.ts": "reads again what has escaped names, and single strings",
  "src/ledger/guards.ts": "a file of ours",
  "src/ledger/heads.ts": "a file of ours, of fixed names",
  "src/main/services.ts": "keys of ours, of fixed names",
  "src/verify/payload.ts": "a single string",
};

function read(files: readonly string[]): Sources {
  return new Map(files.map((file) => [file, readFileSync(path.join(root, file), "utf8")]));
}

function find(...patterns: readonly string[]): readonly string[] {
  return globSync(patterns, { cwd: root })
    .map((file) => file.split(path.sep).join("/"))
    .filter((file) => !file.includes("/generated/"))
    .sort();
}

const product = read(find("src/**/*.ts"));

describe("layers", () => {
  it("finds the product", () => {
    const parts = new Set([...product.keys()].map(partOf));
    expect([...layers, ...entryPoints, ...foundations, "config.ts"].filter((part) => !parts.has(part))).toEqual([]);
  });

  it("has areas of the domain that never import each other in a circle, and would notice if they did", () => {
    expect(circularAreas(new Set(["a -> b", "b -> c", "c -> b", "d -> a"]))).toEqual(["a", "b", "c", "d"]);
    expect(circularAreas(new Set(["a -> b", "b -> c", "a -> c"]))).toEqual([]);
    expect(areaImports(product)).toContain("actions -> sessions");
    expect(circularAreas(areaImports(product))).toEqual([]);
  });

  it("notices an import against the flow, of an entry point, and from the tests", () => {
    const wrong = new Map([
      ["src/ledger/a.ts", 'import { x } from "../domain/x.ts";\nimport type { y } from "./y.ts";'],
      ["src/domain/actions/b.ts", 'const { startServer } = await import("../../main.ts");'],
      ["src/db/c.ts", 'export * from "../../test/support/wait.ts";\nimport "../errors.ts";'],
      ["src/errors.ts", 'import { meter } from "./db/pool.ts";'],
      ["src/graphql/d.ts", 'import { loadConfig } from "../config.ts";'],
    ]);
    expect(forbiddenImports(wrong)).toEqual([
      "src/ledger/a.ts imports src/domain/x.ts",
      "src/domain/actions/b.ts imports src/main.ts",
      "src/db/c.ts imports test/support/wait.ts",
      "src/errors.ts imports src/db/pool.ts",
      "src/graphql/d.ts imports src/config.ts",
    ]);
  });

  it("import downwards only", () => {
    expect(forbiddenImports(product)).toEqual([]);
  });
});

describe("areas", () => {
  const foldersOf = (layer: string) => find(`src/${layer}/*/README.md`).map((file) => file.split("/")[2] ?? "");

  it("have the same name in the domain and in the schema, which has a line for each", () => {
    const shown = foldersOf("graphql").filter((folder) => folder !== "base");
    const lines = importsOf("src/graphql/schema.ts", product.get("src/graphql/schema.ts") ?? "");
    expect(lines.filter((file) => file.endsWith("/index.ts"))).toEqual(
      shown.map((folder) => `src/graphql/${folder}/index.ts`),
    );
    // The ledger is a layer below the domain.
    expect(shown.filter((folder) => folder !== "ledger" && !foldersOf("domain").includes(folder))).toEqual([]);
  });

  it("are each in the table of the README of the folder they are in, and nothing else is", () => {
    for (const folder of ["domain", "facts", "facts/areas", "facts/check", "graphql", "main"]) {
      const there = find(`src/${folder}/*.ts`, `src/${folder}/*/README.md`).map(
        (file) => path.posix.relative(`src/${folder}`, file).split("/")[0],
      );
      const readme = readFileSync(path.join(root, "src", folder, "README.md"), "utf8");
      const firstCells = [...readme.matchAll(/^\| (?<cell>[^|]+) \|/gm)].map(({ groups }) => groups?.cell ?? "");
      const named = firstCells.flatMap((cell) => [...cell.matchAll(/`([^`]+?)\/?`/g)].map(([, name]) => name));
      expect(named.filter((name) => name !== "FORMAT.md").sort(), `src/${folder}/README.md`).toEqual(there.sort());
    }
  });
});

describe("exports", () => {
  /** What the product does not use itself, and why it is there all the same. */
  const exempt: Readonly<Record<string, string>> = {
    "src/domain/channels/slack/driver.ts createSlackDriver": "until channels are served",
    "src/ledger/read.ts readRange": "pages of a ledger, for its readers to come",
    "src/ledger/tables.ts LEDGER_TABLES": "the list that the guards' own is compared with",
  };

  it("are noticed when nothing but a test uses them", () => {
    const sources = new Map([
      ["src/ledger/a.ts", "export const USED = 1;\nexport async function tested() {}\nexport interface Loose {}"],
      ["src/ledger/b.ts", 'import { USED as ONE } from "./a.ts";\nexport const WITHIN = 2;\nconsole.log(WITHIN);'],
      ["src/cli/c.ts", 'const { later } = await import("../db/d.ts");'],
      ["src/db/d.ts", "export function later() {}\nexport class Forgotten {}"],
    ]);
    const tests = new Map([["test/a.test.ts", 'import { tested } from "../src/ledger/a.ts";']]);
    expect(unusedExports(sources, sources)).toEqual([
      "src/ledger/a.ts tested",
      "src/ledger/a.ts Loose",
      "src/db/d.ts Forgotten",
    ]);
    expect(unusedExports(sources, new Map([...sources, ...tests]))).not.toContain("src/ledger/a.ts tested");
  });

  it("of src are used by src, a client or a script, apart from those that have a reason", () => {
    const users = read(find("src/**/*.ts", "clients/**/*.ts", "prisma/*.ts", "*.ts"));
    expect(unusedExports(product, users).filter((name) => !(name in exempt))).toEqual([]);
  });
});

describe("settings", () => {
  it("are noticed wherever the environment is read", () => {
    const wrong = new Map([
      ["src/db/a.ts", "const url = process.env.DATABASE_URL;"],
      ["src/db/b.ts", 'const { PORT } = process["env"];'],
      ["src/db/c.ts", "const { environment } = process;"],
    ]);
    expect(environmentReaders(wrong)).toEqual(["src/db/a.ts", "src/db/b.ts"]);
  });

  it("are read from the environment in src/config.ts alone", () => {
    expect(environmentReaders(product)).toEqual(["src/config.ts"]);
  });
});

describe("files", () => {
  it(`written by hand have at most ${longest} lines`, () => {
    const written = read(find("src/**/*.ts", "test/**/*.ts", "clients/**/*.{ts,py}", "sql/*.sql"));
    const long = [...written].filter(([, text]) => text.split("\n").length - 1 > longest).map(([file]) => file);
    expect(written.size).toBeGreaterThan(product.size);
    expect(long).toEqual([]);
  });

  it(`are at most ${mostFiles} in a folder of src or clients`, () => {
    const folders = Object.groupBy(find("src/**/*.{ts,md,json,yaml}", "clients/**/*.{ts,py,md}"), (file) =>
      path.posix.dirname(file),
    );
    const flat = Object.entries(folders).filter(([, files = []]) => files.length > mostFiles);
    expect(Object.keys(folders).length).toBeGreaterThan(20);
    expect(flat.map(([folder, files]) => `${folder}: ${files?.length}`)).toEqual([]);
  });

  it("are named in kebab-case, and no folder after a technique", () => {
    const names = find("src/**/*.ts", "test/**/*.ts", "clients/**/*.ts");
    const folders = new Set(names.flatMap((file) => file.split("/").slice(0, -1)));
    expect(names.filter((file) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+){0,2}\.ts$/.test(path.basename(file)))).toEqual(
      [],
    );
    expect(vagueNames.filter((name) => folders.has(name))).toEqual([]);
  });

  it("of each folder of src are introduced by a README", () => {
    const folders = new Set([...product.keys()].map((file) => path.posix.dirname(file)));
    const introduced = new Set(find("src/**/README.md").map((file) => path.posix.dirname(file)));
    expect(folders.size).toBeGreaterThan(layers.length);
    expect([...folders].filter((folder) => !introduced.has(folder))).toEqual([]);
  });
});

describe("packages", () => {
  const lock = readFileSync(path.join(root, "package-lock.json"), "utf8");
  const versions = z.record(z.string(), z.string());
  const manifest = z
    .object({
      scripts: versions,
      dependencies: versions,
      devDependencies: versions,
      optionalDependencies: versions,
    })
    .parse(JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")));

  /** The commands an installed package brings, by name. */
  function binariesOf(name: string): Readonly<Record<string, string>> {
    const text = readFileSync(path.join(root, "node_modules", name, "package.json"), "utf8");
    const { bin = {} } = z.object({ bin: z.union([z.string(), versions]).optional() }).parse(JSON.parse(text));
    return typeof bin === "string" ? { [path.posix.basename(name)]: bin } : bin;
  }

  it("are locked without addresses, so that any registry can serve them", () => {
    expect(lock).toContain('"integrity"');
    expect(lock).not.toContain('"resolved"');
  });

  it("are noticed by name, whatever is imported of them", () => {
    const text = `import { a } from "graphql-ws/use/ws";\nimport type { B } from '@pothos/core';\nawait import("pg");
import "./c.ts";\nimport { d } from "../d.ts";\nexport * from "prom-client";\nimport.meta.resolve("zod/v4");\nimport { e } from "node:fs";
createRequire(import.meta.url).resolve("ws");\npromise.resolve("done");`;
    expect(packagesOf(text)).toEqual(["graphql-ws", "@pothos/core", "pg", "prom-client", "zod", "ws"]);
  });

  it("are each needed: imported, run by a script, or typing one that is", () => {
    // Generated code imports packages as well.
    const files = globSync(["src/**/*.ts", "test/**/*.ts", "clients/**/*.ts", "prisma/*.ts"], { cwd: root });
    const imported = new Set([...read(files).values()].flatMap(packagesOf));
    const commands = new Set(Object.values(manifest.scripts).flatMap((script) => script.split(/\s+/)));
    const isRun = (name: string) => Object.keys(binariesOf(name)).some((binary) => commands.has(binary));
    const isTyping = (name: string) => name.startsWith("@types/") && imported.has(name.slice("@types/".length));
    const names = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
    const needed = (name: string) => imported.has(name) || isRun(name) || isTyping(name) || name === "@types/node";
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter((name) => !needed(name))).toEqual([]);
    // The binaries test/support/lint.ts chooses from.
    expect(Object.keys(manifest.optionalDependencies).filter((name) => !name.startsWith("@biomejs/cli-"))).toEqual([]);
  });

  it("that the product imports are dependencies of its own", () => {
    const imported = new Set([...product.values()].flatMap(packagesOf));
    expect([...imported].filter((name) => !(name in manifest.dependencies))).toEqual([]);
  });

  it("hold graphql exactly once: two copies refuse each other's schemas", () => {
    const copies = find("node_modules/graphql/package.json", "node_modules/**/node_modules/graphql/package.json");
    expect(copies).toEqual(["node_modules/graphql/package.json"]);
  });
});

describe("JSON from outside and from the ledger", () => {
  it("is parsed by parseJson alone, apart from those that have a reason", () => {
    const found = [...product].filter(([, text]) => /\bJSON\.parse\(/.test(text)).map(([file]) => file);
    expect(found.sort()).toEqual(Object.keys(jsonParsers).sort());
  });
});
