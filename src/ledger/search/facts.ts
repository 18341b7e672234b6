import type { JsonObject } from "../../facts/canonical.ts";
import { parseJson } from "../../facts/parse-json.ts";
import { isSignature } from "../../facts/signature.ts";
import type { SegmentBits, TokenKind } from "./bits.ts";
import { fold } from "./fold.ts";

/** What the index has of one entry. Texts as stored. */
export interface IndexedRow {
  readonly seq: string;
  readonly entry: string;
  readonly payload: string | null;
  readonly type: string;
  readonly platform: string | null;
  readonly tool: string | null;
  readonly effect: string | null;
  readonly actor: string | null;
  readonly onBehalfOf: string | null;
  readonly session: string | null;
  readonly chain: string | null;
  readonly sourceChain: string | null;
  /** The agent of the action it is about. */
  readonly aboutActor: string | null;
  /** The person that agent acted for. */
  readonly aboutOnBehalfOf: string | null;
  /** The action it is about, when that was not proposed at or before its position. */
  readonly aboutUnknown: string | null;
  /** The groups that policy asked, by the entry itself or by the proposal of the action it is about. */
  readonly asked: readonly string[];
}

const TOKENS = [
  "session",
  "chain",
  "sourceChain",
  "aboutActor",
  "aboutOnBehalfOf",
] as const satisfies readonly TokenKind[];

/** Adds everything that a search can find `row` by to the current block. */
export function addRow(bits: SegmentBits, row: IndexedRow): void {
  bits.addColumns(row);
  for (const kind of TOKENS) {
    const value = row[kind];
    if (value !== null) bits.addToken(kind, value);
  }
  if (row.aboutUnknown !== null) bits.addToken("aboutUnknown", "");
  for (const group of row.asked) bits.addToken("asked", group);
  const payload = row.payload === null ? undefined : parsedObject(row.payload);
  if (row.payload !== null) {
    for (const form of formsOf(payload)) bits.addToken("form", form);
  }
  for (const text of factsOf(row, payload)) bits.addText(fold(text));
}

/** A number as a member, an item or a value of its own. (Text in a string may look like one; that costs time, and no more.) */
const NUMBER_WITH_EXPONENT = /(?:^|":|[,[ ])-?\d+(?:\.\d+)?e[+-]?\d/;

/**
 * The texts in which words and fragments are looked for. The stored texts as a whole as well when the database may read facts
 * in them that this code does not: a text that is not canonical, a number that jsonb writes without its exponent.
 */
function factsOf({ entry, payload }: IndexedRow, values: JsonObject | undefined): readonly string[] {
  const envelope = parsedObject(entry);
  const facts = [
    ...(envelope === undefined ? [] : [bodyFacts(envelope.body)]),
    ...(values === undefined ? [] : [payloadFacts(values)]),
  ];
  const canonical =
    envelope !== undefined &&
    JSON.stringify(envelope) === entry &&
    (payload === null || (values !== undefined && JSON.stringify(values) === payload));
  const plain = canonical && !facts.some((text) => NUMBER_WITH_EXPONENT.test(text));
  return plain ? facts : [...facts, entry, ...(payload === null ? [] : [payload])];
}

const HASH = /^[0-9a-f]{64}$/;

/** The values of a body except commitments and the signature, as JSON writes them. */
function bodyFacts(body: unknown): string {
  const found: string[] = [];
  const collect = (value: unknown): void => {
    if (typeof value === "object" && value !== null) Object.values(value).forEach(collect);
    else if (typeof value !== "string" || !(HASH.test(value) || isSignature(value))) found.push(JSON.stringify(value));
  };
  collect(body);
  return found.join(" ");
}

/** The erasable values, without the salts. */
function payloadFacts(values: JsonObject): string {
  return Object.values(values)
    .map((stored) => JSON.stringify(erasableOf(stored)))
    .join(" ");
}

function erasableOf(stored: unknown): unknown {
  return typeof stored === "object" && stored !== null ? Reflect.get(stored, "value") : stored;
}

/** What `form` tokens distinguish. */
export type Form = "object" | "array" | "scalar";

/** The form of a JSON value. */
export function formOf(value: unknown): Form {
  if (Array.isArray(value)) return "array";
  return typeof value === "object" && value !== null ? "object" : "scalar";
}

/** The forms of arguments and result; all there are when they cannot be read. */
function formsOf(values: JsonObject | undefined): readonly Form[] {
  if (values === undefined) return ["object", "array", "scalar"];
  return ["arguments", "result"]
    .filter((member) => Object.hasOwn(values, member))
    .map((member) => formOf(erasableOf(values[member])));
}

/** Undefined when `text` is no JSON object: somebody with the owner's rights wrote it. */
function parsedObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = parseJson(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
