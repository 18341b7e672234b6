import { readFile } from "node:fs/promises";
import { asError, ConfigurationError } from "./errors.ts";
import { describePlace, JsonTextError, parseJsonText } from "./json-text.ts";

/** A JSON file of the operator, and the setting that names it, such as `IDENTITY_FILE`. */
export interface JsonFile {
  readonly file: string;
  /** As messages name it, such as `identity file`. */
  readonly what: string;
  readonly setting: string;
}

/** Where data comes from, for messages about it. */
export interface JsonSource {
  /** Such as `catalog tools.json (CATALOG)`. */
  readonly name: string;
  /** Where the value at a path is written, such as `line 3, column 5`; left out: nowhere. */
  readonly placeOf?: (path: readonly PropertyKey[]) => string;
}

/** The content of a file. */
export interface JsonDocument {
  readonly value: unknown;
  readonly source: JsonSource;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  EISDIR: "is a folder, not a file",
  ENOTDIR: "lies below something that is not a folder",
  EACCES: "may not be read by this user",
};

/**
 * The content of `file`, under the rules of `parseJsonText`. Throws ConfigurationError naming the file, its setting and what to
 * do; for what is wrong within the file with line and column, and without quoting it, because it may hold secrets.
 */
export async function readJsonFile({ file, what, setting }: JsonFile): Promise<JsonDocument> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : asError(cause).message;
    const reason = REASONS[code] ?? `cannot be read (${code})`;
    throw new ConfigurationError(`the ${what} ${file} ${reason}: correct ${setting}, or the file`, cause);
  }
  try {
    const { value, placeOf } = parseJsonText(bytes);
    const name = `${what} ${file} (${setting})`;
    return { value, source: { name, placeOf: (path) => describePlace(placeOf(path)) } };
  } catch (error) {
    if (!(error instanceof JsonTextError)) throw error;
    const place = error.place === undefined ? "" : ` at ${describePlace(error.place)}`;
    throw new ConfigurationError(`the ${what} ${file} (${setting}) ${error.message}${place}`);
  }
}

/** Something wrong with a value, by its path in the data. */
export interface DataIssue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** The error for data from `source` that is not as it has to be. It names every issue, with its place. */
export function badData({ name, placeOf }: JsonSource, issues: readonly DataIssue[]): ConfigurationError {
  const problems = issues.map(({ path, message }) => {
    const place = placeOf === undefined ? "" : ` at ${placeOf(path)}`;
    return `${path.map(String).join(".") || "the file"}${place}: ${message}`;
  });
  const each = problems.map((problem) => `bad ${name}: ${problem}`);
  return new ConfigurationError(`bad ${name}: ${problems.join("; ")}`, undefined, each);
}
