import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { JsonObject } from "../../facts/canonical.ts";
import { badData, type JsonSource, readJsonFile } from "../../json-file.ts";
import { nameSchema, regionSchema } from "../identity/names.ts";

/** READ leaves the platform as it was; WRITE may not. */
export type Effect = "READ" | "WRITE";

/** One operation of a platform. Tools of different platforms may have the same name. */
export interface Tool {
  readonly name: string;
  readonly platform: string;
  readonly effect: Effect;
  readonly personalData: boolean;
}

export interface Platform {
  readonly name: string;
  /** Where the platform keeps its data. */
  readonly region: string;
  /** Strangers write what is read there. */
  readonly untrusted?: true | undefined;
  /** By name. */
  readonly tools: ReadonlyMap<string, Tool>;
}

/** The platforms of an installation, each with its tools. */
export interface Catalog {
  readonly platforms: ReadonlyMap<string, Platform>;
  /** The catalog as data, for hashing: the same however its file lists the tools. */
  readonly document: JsonObject;
}

export const SAMPLE_CATALOG = fileURLToPath(new URL("sample-catalog.json", import.meta.url));

const toolDetails = { effect: z.enum(["READ", "WRITE"]), personalData: z.boolean().default(false) };
const platform = z.strictObject({
  region: regionSchema,
  untrusted: z.boolean().optional(),
  tools: byName(z.strictObject(toolDetails)).optional(),
});
const document = z.strictObject({
  platforms: byName(platform),
  /** Also tools, for files that list all of them together: no two have the same name then. */
  tools: byName(z.strictObject({ platform: nameSchema, ...toolDetails })).optional(),
});

/** An object as its own members: one called `__proto__` is a member like any other. */
function byName<Value extends z.ZodType>(value: Value) {
  const members = (given: unknown) =>
    typeof given === "object" && given !== null && !Array.isArray(given) ? Object.entries(given) : undefined;
  return z.preprocess(
    members,
    z.array(z.tuple([nameSchema, value]), "has to be an object with a member for each name"),
  );
}

/** The path in `data` of what `byName` has at `path`: there, a member is its number and 0 for its name or 1 for its value. */
function pathInData(data: unknown, path: readonly PropertyKey[]): readonly PropertyKey[] {
  const [step, part, ...rest] = path;
  if (step === undefined || typeof data !== "object" || data === null) return path;
  if (typeof step !== "number" || Array.isArray(data)) {
    const members = new Map<PropertyKey, unknown>(Object.entries(data));
    return [step, ...pathInData(members.get(step), path.slice(1))];
  }
  const [name, value] = Object.entries(data)[step] ?? [String(step)];
  return [name, ...(part === 1 ? pathInData(value, rest) : [])];
}

/** Reads a catalog file. Throws ConfigurationError naming what is wrong and where. */
export async function loadCatalog(file: string = SAMPLE_CATALOG): Promise<Catalog> {
  const { value, source } = await readJsonFile({ file, what: "catalog", setting: "CATALOG or --catalog" });
  return parseCatalog(value, source);
}

/** `source` is for messages. Throws ConfigurationError. */
export function parseCatalog(data: unknown, source: JsonSource = { name: "catalog" }): Catalog {
  const parsed = document.safeParse(data);
  if (!parsed.success) {
    throw badData(
      source,
      parsed.error.issues.map(({ path, message }) => ({ path: pathInData(data, path), message })),
    );
  }
  const toolsOf = new Map(parsed.data.platforms.map(([name]) => [name, new Map<string, Tool>()]));
  for (const [home, { tools = [] }] of parsed.data.platforms) {
    for (const [name, details] of tools) toolsOf.get(home)?.set(name, { name, platform: home, ...details });
  }
  for (const [name, details] of parsed.data.tools ?? []) {
    const tools = toolsOf.get(details.platform);
    const problem =
      tools === undefined
        ? `tool ${name} is on platform ${details.platform}, which is not listed`
        : tools.has(name) && `tool ${name} is in the list of platform ${details.platform}, too`;
    if (tools === undefined || problem !== false)
      throw badData(source, [{ path: ["tools", name], message: `${problem}` }]);
    tools.set(name, { name, ...details });
  }
  const platforms = new Map(
    parsed.data.platforms.map(([name, { region, untrusted }]) => {
      const platform = { name, region, ...(untrusted === true ? { untrusted } : {}) };
      return [name, { ...platform, tools: toolsOf.get(name) ?? new Map() }];
    }),
  );
  return { platforms, document: documentOf([...platforms.values()]) };
}

/** What a catalog says of a platform itself. */
export function factsOf({ region, untrusted }: Platform): { readonly region: string; readonly untrusted?: true } {
  return untrusted === true ? { region, untrusted } : { region };
}

/** The tool `name` on `platform`; undefined for one that is not listed. */
export function findTool({ platforms }: Pick<Catalog, "platforms">, platform: string, name: string): Tool | undefined {
  return platforms.get(platform)?.tools.get(name);
}

/**
 * While no two tools have the same name, they are listed together, as policies were hashed before tools of different platforms
 * could have the same name.
 */
function documentOf(platforms: readonly Platform[]): JsonObject {
  const all = platforms.flatMap(({ tools }) => [...tools.values()]);
  const details = ({ effect, personalData }: Tool) => ({ effect, personalData });
  // fromEntries defines own properties, `__proto__` included; an assignment would lose that one.
  if (new Set(all.map(({ name }) => name)).size === all.length) {
    return {
      platforms: Object.fromEntries(platforms.map((one) => [one.name, factsOf(one)])),
      tools: Object.fromEntries(all.map((one) => [one.name, { platform: one.platform, ...details(one) }])),
    };
  }
  const own = ({ tools }: Platform) => Object.fromEntries([...tools.values()].map((one) => [one.name, details(one)]));
  return {
    platforms: Object.fromEntries(platforms.map((one) => [one.name, { ...factsOf(one), tools: own(one) }])),
  };
}
