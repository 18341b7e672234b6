import type { JsonObject, JsonValue } from "../facts/canonical.ts";
import { isInstant } from "../facts/entry.ts";
import { parseJson } from "../facts/parse-json.ts";
import { type SignatureKeys, signatureProblem } from "../facts/signature.ts";
import { checkColumns } from "./columns.ts";
import { edgeProblems } from "./edges.ts";
import { cutDepth, formProblem } from "./form.ts";
import { checkPayload } from "./payload.ts";
import { type EntryState, type Maker, memberOf, type Sha256, type StoredEntry, thingKey } from "./rows.ts";
import type { Rules } from "./rules.ts";
import type { LedgerVerdict } from "./verdict.ts";

export type Complain = (verdict: LedgerVerdict, detail: string) => void;

/** The content of an entry with the correct hash and a known format. */
export interface CheckedEntry {
  readonly hash: string;
  readonly recordedAt: string;
  readonly body: JsonObject;
  /** Items of `body.states` that are of the form that items have. */
  readonly states: readonly EntryState[];
  /** Paths of the erasable values that are not stored. */
  readonly missing: readonly string[];
}

export interface EntryCheck {
  readonly ledger: string;
  readonly sha256: Sha256;
  readonly rules: Rules;
  /** What signatures are verified with; without them, none is. */
  readonly signatures?: SignatureKeys;
}

const NOTHING: readonly string[] = [];
const decoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/**
 * Checks one entry: bytes against hash, form, columns, payload, signature and members. Returns its content; undefined when
 * that cannot be known, which is then a problem that was complained of.
 */
export function checkEntry(
  row: StoredEntry,
  { ledger, sha256, rules, signatures }: EntryCheck,
  complain: Complain,
): CheckedEntry | undefined {
  const hash = sha256(row.entry);
  if (hash !== row.hash) {
    // Of bytes that were changed nothing else is worth comparing.
    complain("CONTENT_MISMATCH", `the hash of the stored bytes is ${hash}, that in the row ${row.hash}`);
    return undefined;
  }
  const text = decode(row.entry);
  if (text === undefined) {
    complain("UNVERIFIABLE", "the bytes are not UTF-8");
    return undefined;
  }
  const parsed = parse(text);
  if (parsed === undefined) {
    complain("UNVERIFIABLE", "the bytes are not JSON");
    return undefined;
  }
  const format = memberOf(parsed, "v");
  if (format !== 1) {
    const named = format === undefined ? "without a number" : shown(format);
    complain("UNVERIFIABLE", `entry format ${named} is not known to this version`);
    return undefined;
  }
  const [seq, id, prevHash] = [memberOf(parsed, "seq"), memberOf(parsed, "ledger"), memberOf(parsed, "prevHash")];
  if (seq !== String(row.seq) || id !== ledger) {
    complain("LINK_BROKEN", `the bytes are for position ${shown(seq) ?? "none"} of ledger ${shown(id) ?? "none"}`);
  }
  if (prevHash !== row.prevHash) {
    complain("LINK_BROKEN", `the bytes name ${shown(prevHash) ?? "nothing"} as predecessor, the row ${row.prevHash}`);
  }
  const [body, recordedAt] = [memberOf(parsed, "body"), memberOf(parsed, "recordedAt")];
  if (!isObject(body) || typeof recordedAt !== "string") {
    complain("CONTENT_MISMATCH", "the bytes are not of the form that entries have: body or recordedAt is missing");
    return undefined;
  }
  const form = formProblem(text, row.entry, parsed);
  if (form !== undefined) {
    complain("CONTENT_MISMATCH", `the bytes are not of the form that entries have: ${form}`);
    cutDepth(body);
  }
  const mismatch = (detail: string) => complain("CONTENT_MISMATCH", detail);
  if (!isInstant(recordedAt)) mismatch(`recordedAt is ${recordedAt}, which is no instant`);
  checkColumns(row.columns, recordedAt, body, mismatch);
  if (row.edges !== undefined) {
    const edges = rules.edgeRowsOf?.(ledger, body, recordedAt) ?? [];
    for (const problem of edgeProblems(row.edges, edges)) complain("STATE_MISMATCH", problem);
  }
  // Reads look for a payload at the time of its entry only.
  if (row.payload !== null && row.payloadTime !== recordedAt) {
    mismatch(`the payload is dated ${row.payloadTime}, the entry ${recordedAt}`);
  }
  if (signatures !== undefined && rules.canPermit?.(body)) {
    const problem = signatureProblem({ text, ledger, recordedAt, signature: memberOf(body, "signature") }, signatures);
    if (problem !== undefined) complain("BAD_SIGNATURE", problem);
  }
  let missing: readonly string[] = NOTHING;
  checkPayload(row.payload, body, text, sha256, {
    complain: mismatch,
    ambiguous: (path) => complain("RULE_BROKEN", `a key on the way to the commitment at ${path} has a dot`),
    missing(paths) {
      missing = paths;
    },
  });
  for (const problem of rules.checkBody?.(body) ?? []) complain("RULE_BROKEN", problem);
  return { hash, recordedAt, body, states: statesOf(body, complain), missing };
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function parse(text: string): JsonValue | undefined {
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Nothing of an object or a list, which may be nested deeper than any stack. */
function shown(value: JsonValue | undefined): string | undefined {
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object";
  return typeof value === "string" || value === undefined ? value : JSON.stringify(value);
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const NONE: readonly EntryState[] = [];
const KIND = /^[A-Z][A-Z_]{0,39}$/;
const MAX_ID = 400;
const MAX_VERSION = 2 ** 31 - 1;

/** The states in an entry, each of another subject. */
function statesOf({ states }: JsonObject, complain: Complain): readonly EntryState[] {
  if (states === undefined) return NONE;
  if (!Array.isArray(states) || states.length === 0) {
    complain("RULE_BROKEN", "states: is no list of one or more");
    return NONE;
  }
  const found: EntryState[] = [];
  const moved = new Set<string>();
  for (const [at, item] of (states as readonly JsonValue[]).entries()) {
    if (!isState(item)) complain("RULE_BROKEN", `states.${at}: is not a kind, an id, a version and a state`);
    else if (moved.has(thingKey(item.kind, item.id))) {
      complain("RULE_BROKEN", `states.${at}: ${item.kind} ${item.id} is moved twice`);
    } else {
      moved.add(thingKey(item.kind, item.id));
      found.push(item);
    }
  }
  return found;
}

function isState(item: JsonValue): item is JsonValue & EntryState {
  if (!isObject(item)) return false;
  const { kind, id, version, state } = item;
  if (typeof kind !== "string" || !KIND.test(kind)) return false;
  if (typeof id !== "string" || id.length === 0) return false;
  // The database counts code points.
  if (id.length > MAX_ID && [...id].length > MAX_ID) return false;
  const counts = typeof version === "number" && Number.isInteger(version) && version >= 1 && version <= MAX_VERSION;
  return counts && isObject(state);
}

/** Who made what this entry begins. */
export function makerOf(body: JsonObject): Maker {
  const [actor, behalf, conversation] = [
    memberOf(body.actor, "id"),
    memberOf(body.onBehalfOf, "id"),
    memberOf(body, "conversation"),
  ];
  return {
    actorId: typeof actor === "string" ? actor : null,
    onBehalfOfId: typeof behalf === "string" ? behalf : null,
    conversation: typeof conversation === "string" ? conversation : "",
  };
}
