import { fileURLToPath } from "node:url";
import { z } from "zod";
import { ConfigurationError } from "../../errors.ts";
import type { JsonObject } from "../../facts/canonical.ts";
import { readJsonFile } from "../../json-file.ts";
import { nameSchema } from "../identity/names.ts";

/** READ leaves the platform as it was; WRITE may not. */
export type Effect = "READ" | "WRITE";

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
}

/** The tools and platforms of an installation. */
export interface Catalog {
  readonly platforms: ReadonlyMap<string, Platform>;
  readonly tools: ReadonlyMap<string, Tool>;
  /** The catalog as data, for hashing. */
  readonly document: JsonObject;
}

export const SAMPLE_CATALOG = fileURLToPath(new URL("sample-catalog.json", import.meta.url));

const platform = z.strictObject({ region: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/) });
const tool = z.strictObject({
  platform: nameSchema,
  effect: z.enum(["READ", "WRITE"]),
  personalData: z.boolean().default(false),
});
const document = z.strictObject({
  platforms: z.preprocess(members, z.array(z.tuple([nameSchema, platform]))),
  tools: z.preprocess(members, z.array(z.tuple([nameSchema, tool]))),
});

/** An object as its own members: one called `__proto__` is a member like any other. */
function members(value: unknown): unknown {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : undefined;
}

/** Reads a catalog file. Throws ConfigurationError naming what is wrong and where. */
export async function loadCatalog(file: string = SAMPLE_CATALOG): Promise<Catalog> {
  return parseCatalog(await readJsonFile({ file, what: "catalog", setting: "CATALOG or --catalog" }), file);
}

/** `source` names the data in error messages. Throws ConfigurationError. */
export function parseCatalog(data: unknown, source = "catalog"): Catalog {
  const parsed = document.safeParse(data);
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join(".") || "the file"}: ${issue.message}`);
    throw new ConfigurationError(`bad catalog ${source}: ${issues.join("; ")}`);
  }
  const platforms = new Map(parsed.data.platforms.map(([key, value]) => [key, { name: key, ...value }]));
  const tools = new Map(parsed.data.tools.map(([key, value]) => [key, { name: key, ...value }]));
  for (const { name: toolName, platform: home } of tools.values()) {
    if (!platforms.has(home)) {
      throw new ConfigurationError(
        `bad catalog ${source}: tool ${toolName} is on platform ${home}, which is not listed`,
      );
    }
  }
  return { platforms, tools, document: documentOf(platforms, tools) };
}

function documentOf(platforms: ReadonlyMap<string, Platform>, tools: ReadonlyMap<string, Tool>): JsonObject {
  // fromEntries defines own properties, `__proto__` included; an assignment would lose that one.
  return {
    platforms: Object.fromEntries([...platforms].map(([key, { region }]) => [key, { region }])),
    tools: Object.fromEntries(
      [...tools].map(([key, { platform: home, effect, personalData }]) => [
        key,
        { platform: home, effect, personalData },
      ]),
    ),
  };
}
