import { type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import type { JsonValue } from "./facts/canonical.ts";
import { parseJson } from "./facts/parse-json.ts";
import { nameProblem } from "./facts/text.ts";

/** A place in a text. Both count from 1; columns are UTF-16 code units. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** What is wrong with a JSON text, and where. The message quotes nothing of the text, which may hold secrets. */
export class JsonTextError extends Error {
  override readonly name = "JsonTextError";
  readonly place: Place | undefined;

  /** @param place undefined: the text as a whole */
  constructor(message: string, place?: Place) {
    super(message);
    this.place = place;
  }
}

/** A JSON text that can be read in one way only. */
export interface JsonText {
  readonly value: JsonValue;
  /** Where the value at `path` is, or the nearest one around it that is there. */
  placeOf(path: readonly PropertyKey[]): Place;
}

export interface JsonTextRules {
  /** Whether the names of members may be any text, as in recorded arguments of tools; otherwise `nameProblem` judges them. */
  readonly anyNames?: boolean;
}

/** UTF-16 code units of the name of a member: the longest are functions with their parameters, in a file of guard exceptions. */
const MAX_NAME = 2_000;
const MARK = "\uFEFF";
const START: Place = { line: 1, column: 1 };

/**
 * Reads JSON (RFC 8259) that people write. On top of what the grammar refuses, comments and trailing commas among it:
 *
 * - bytes that are not UTF-8, and a byte order mark
 * - two members of one object with the same name, at any depth and however spelled
 * - names of members with characters that nobody sees, and whatever else `nameProblem` refuses
 *
 * Throws JsonTextError for the first fault.
 */
export function parseJsonText(bytes: Uint8Array, { anyNames = false }: JsonTextRules = {}): JsonText {
  const text = decode(bytes);
  if (text.startsWith(MARK)) {
    throw new JsonTextError("begins with a byte order mark, which JSON must not have: save it without one", START);
  }
  if (text.trim() === "") throw new JsonTextError("is empty");
  const errors: ParseError[] = [];
  const tree = parseTree(text, errors, { disallowComments: true, allowTrailingComma: false });
  const [first] = errors;
  if (first !== undefined) throw new JsonTextError(`is not JSON: ${reasonOf(first)}`, placeAt(text, first.offset));
  let value: JsonValue;
  try {
    value = parseJson(text);
  } catch {
    // The grammar has the last word. Its message may quote the text.
    throw new JsonTextError("is not JSON: malformed");
  }
  const root = tree!;
  checkMembers(text, root, anyNames);
  return { value, placeOf: (path) => placeAt(text, nodeAt(root, path).offset) };
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder("utf-8", { ignoreBOM: true });

function decode(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    // Where the replacement character stands for bytes that were something else, the bytes differ.
    const text = lenient.decode(bytes);
    const again = Buffer.from(text);
    const at = bytes.findIndex((byte, index) => byte !== again[index]);
    const before = lenient.decode(bytes.subarray(0, Math.max(at, 0)));
    throw new JsonTextError("is not UTF-8: save it in that encoding", placeAt(before, before.length));
  }
}

/** The parser's name of an error, such as `CommaExpected`, as words. */
function reasonOf({ error }: ParseError): string {
  return printParseErrorCode(error)
    .replaceAll(/(?<=[a-z])(?=[A-Z])/g, " ")
    .toLowerCase();
}

function placeAt(text: string, offset: number): Place {
  const before = text.slice(0, offset).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

function checkMembers(text: string, node: Node, anyNames: boolean): void {
  const { type, children = [] } = node;
  if (type === "array") for (const child of children) checkMembers(text, child, anyNames);
  if (type !== "object") return;
  const seen = new Map<string, Node>();
  for (const { children: [name, member] = [] } of children) {
    if (name === undefined) continue;
    const written = String(name.value);
    // Counting lines for each member would take quadratic time.
    const place = () => placeAt(text, name.offset);
    const problem = anyNames ? undefined : nameProblem(written, MAX_NAME);
    if (problem !== undefined) throw new JsonTextError(`has a member whose name ${problem}`, place());
    const earlier = seen.get(written);
    if (earlier !== undefined) {
      throw new JsonTextError(`has the member of ${describePlace(placeAt(text, earlier.offset))} again`, place());
    }
    seen.set(written, name);
    if (member !== undefined) checkMembers(text, member, anyNames);
  }
}

function nodeAt(root: Node, path: readonly PropertyKey[]): Node {
  let node = root;
  for (const step of path) {
    const { type, children = [] } = node;
    const next =
      type === "array"
        ? children[Number(step)]
        : children.find(({ children: [name] = [] }) => name?.value === String(step))?.children?.[1];
    if (next === undefined) break;
    node = next;
  }
  return node;
}

/** Such as `line 3, column 5`. */
export function describePlace({ line, column }: Place): string {
  return `line ${line}, column ${column}`;
}
