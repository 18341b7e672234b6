import { readFile } from "node:fs/promises";
import { type ParseError, parse, printParseErrorCode } from "jsonc-parser";
import { asError, ConfigurationError } from "./errors.ts";

/** A JSON file that somebody wrote by hand, and the setting that names it, such as `IDENTITY_FILE`. */
export interface JsonFile {
  readonly file: string;
  /** As messages name it, such as `identity file`. */
  readonly what: string;
  readonly setting: string;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  EISDIR: "is a folder, not a file",
  ENOTDIR: "lies below something that is not a folder",
  EACCES: "may not be read by this user",
};

/**
 * The value in `file`. Throws ConfigurationError naming the file, its setting and what to do; for malformed JSON with line
 * and column, and without quoting the file, which may hold secrets.
 */
export async function readJsonFile({ file, what, setting }: JsonFile): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : asError(cause).message;
    const reason = REASONS[code] ?? `cannot be read (${code})`;
    throw new ConfigurationError(`the ${what} ${file} ${reason}: correct ${setting}, or the file`, cause);
  }
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (cause) {
    throw new ConfigurationError(`the ${what} ${file} (${setting}) is not JSON: ${firstFault(text)}`, cause);
  }
}

/** JSON.parse gives a position for some faults only, and quotes the text for the others. */
function firstFault(text: string): string {
  if (text.trim() === "") return "it is empty";
  const errors: ParseError[] = [];
  parse(text, errors, { disallowComments: true, allowTrailingComma: false });
  const [first] = errors;
  if (first === undefined) return "malformed";
  const before = text.slice(0, first.offset).split("\n");
  const name = printParseErrorCode(first.error)
    .replaceAll(/(?<=[a-z])(?=[A-Z])/g, " ")
    .toLowerCase();
  return `${name} at line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}
