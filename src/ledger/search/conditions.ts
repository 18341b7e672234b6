import { validate as isUuid } from "uuid";
import { canonicalize, type JsonValue, NotCanonicalError } from "../../facts/canonical.ts";
import { isStorable } from "../../facts/text.ts";
import type { Bind } from "../read-scope.ts";
import { type EntryFilter, given, wordsOf } from "./filter.ts";

/** Nothing that can be recorded meets the filter. */
export class NothingMeetsThis extends Error {}

type Maybe<T> = T | null | undefined;

/**
 * The conditions of `filter` on an entry `e` with its payload `p`, as SQL; `$1` is the ledger. Throws NothingMeetsThis.
 *
 * @param attempts what else is known of refused attempts on an action, with alias `a`
 */
export function conditionsOf(filter: EntryFilter, bind: Bind, attempts = ""): readonly string[] {
  const conditions = [
    equals("actor_id", filter.actorId, bind),
    equals("on_behalf_of_id", filter.onBehalfOfId, bind),
    equalsId("session_id", filter.sessionId, bind),
    equalsId("chain", filter.chainHash, bind),
    equalsId("source_chain", filter.sourceChainHash, bind),
    equals("platform", filter.platform, bind),
    equals("tool", filter.tool, bind),
    equals("effect", filter.effect, bind),
    ofTypes(filter.types, bind),
    recorded(">=", filter.recordedFrom, bind),
    recorded("<=", filter.recordedTo, bind),
    ofAction(filter.actionId, bind, attempts),
    withEmail(filter.actorEmail, bind),
    withWords(filter.text, bind),
    withFragment(filter.contains, bind),
  ];
  return conditions.filter((condition) => condition !== undefined);
}

/** `instant` (RFC 3339) as PostgreSQL reads it. RFC 3339 has a year 0000, PostgreSQL does not. */
export function instantOf(instant: string): string {
  return instant.startsWith("0000") ? "-infinity" : instant;
}

function equals(column: string, wanted: Maybe<string>, bind: Bind): string | undefined {
  if (!given(wanted)) return undefined;
  if (!isStorable(wanted)) throw new NothingMeetsThis();
  return `e.${column} = ${bind(wanted)}::text`;
}

function equalsId(column: string, wanted: Maybe<string>, bind: Bind): string | undefined {
  if (!given(wanted)) return undefined;
  return `e.${column} = ${bind(uuid(wanted))}::uuid`;
}

function uuid(text: string): string {
  if (!isUuid(text)) throw new NothingMeetsThis();
  return text;
}

function ofTypes(types: Maybe<readonly string[]>, bind: Bind): string | undefined {
  if (!given(types)) return undefined;
  const storable = types.filter(isStorable);
  if (storable.length === 0) throw new NothingMeetsThis();
  return `e.type = ANY (${bind(storable)}::text[])`;
}

function recorded(comparison: "<=" | ">=", instant: Maybe<string>, bind: Bind): string | undefined {
  if (!given(instant)) return undefined;
  return `e.recorded_at ${comparison} ${bind(instantOf(instant))}::timestamptz`;
}

// The state row lists the entries that changed the action; a partial index holds the attempts that did not. Looked up
// first, as an array, so that the plan is a few positions and never a join over the ledger.
function ofAction(actionId: Maybe<string>, bind: Bind, attempts: string): string | undefined {
  if (!given(actionId)) return undefined;
  const id = bind(uuid(actionId));
  return `e.seq = ANY (ARRAY(
           SELECT unnest(s.entries) FROM oc_action s WHERE s.ledger = $1 AND s.id = ${id}::text
           UNION ALL
           SELECT a.seq FROM oc_audit_log a
            WHERE a.ledger = $1 AND a.action_id = ${id}::text::uuid AND a.state_version IS NULL ${attempts}))`;
}

// --- Conditions on texts: a cheap test of the stored text excludes most entries before the rest is parsed.

/** Replaces NUL, which JSON text can contain and jsonb cannot. A noncharacter, so it has no other meaning in a text. */
const NUL_STAND_IN = "\uffff";
/** An escaped NUL: the backslash before `u0000` is not itself escaped. The same in JavaScript and PostgreSQL. */
const ESCAPED_NUL = "(?<!\\\\)((?:\\\\\\\\)*)\\\\u0000";

function withoutNul(json: string): string {
  return json.replace(new RegExp(ESCAPED_NUL, "g"), `$1${NUL_STAND_IN}`);
}

const PAYLOAD_TEXT = "p.payload::text";
const PAYLOAD_WITHOUT_NUL = `(CASE WHEN strpos(${PAYLOAD_TEXT}, '\\u0000') = 0 THEN ${PAYLOAD_TEXT}
             ELSE regexp_replace(${PAYLOAD_TEXT}, '${ESCAPED_NUL}', '\\1${NUL_STAND_IN}', 'g') END)`;
const PAYLOAD_DOCUMENT = `${PAYLOAD_WITHOUT_NUL}::jsonb`;

/** In the form that searches compare: either Unicode normal form, any case. */
const folded = (expression: string) => `oc_search_fold(${expression})`;

function withEmail(actorEmail: Maybe<string>, bind: Bind): string | undefined {
  if (!given(actorEmail)) return undefined;
  if (!isStorable(actorEmail)) throw new NothingMeetsThis();
  const written = bind(JSON.stringify(actorEmail).slice(1, -1));
  const address = (key: string) => folded(`d.document -> '${key}' -> 'value' ->> 'email'`);
  return `CASE WHEN strpos(${folded(PAYLOAD_TEXT)}, ${folded(`${written}::text`)}) > 0
             THEN (SELECT ${folded(`${bind(actorEmail)}::text`)}
                            IN (${address("actor.profile")}, ${address("onBehalfOf.profile")})
                     FROM (SELECT ${PAYLOAD_DOCUMENT} AS document OFFSET 0) d)
             ELSE false END`;
}

// The stored text is searched first; only for entries that may match, facts are distinguished from names of members, salts
// and commitments. Facts are the values of a body except commitments and the signature, and erasable values with their keys.
const BODY_FACTS = `(SELECT string_agg(v::text, ' ')
                 FROM jsonb_path_query(CASE WHEN pg_input_is_valid(e.entry, 'jsonb') THEN e.entry::jsonb -> 'body' END,
                        '$.** ? (@.type() != "object" && @.type() != "array")') AS v
                WHERE NOT (length(v::text) = 66 AND v::text ~ '^"[0-9a-f]{64}"$')
                  AND NOT (right(v::text, 89) LIKE '..%' AND v::text ~ '^"[A-Za-z0-9_-]+[.][.][A-Za-z0-9_-]{86}"$'))`;
const PAYLOAD_FACTS = `(SELECT string_agg(v::text, ' ') FROM jsonb_path_query(${PAYLOAD_DOCUMENT}, '$.*.value') AS v)`;

function withWords(text: Maybe<string>, bind: Bind): string | undefined {
  const words = wordsOf(text);
  if (words.length === 0) return undefined;
  if (!words.every((word) => word.isWellFormed())) throw new NothingMeetsThis();
  // Words are compared as JSON text writes them, on both sides.
  const stored = words.map((word) => JSON.stringify(word).slice(1, -1));
  const all = (wanted: readonly string[], facts: string) => `(
             SELECT bool_and(strpos(f.facts, ${folded("word")}) > 0)
               FROM (SELECT ${folded(facts)} AS facts OFFSET 0) f, unnest(${bind(wanted)}::text[]) AS word)`;
  const anywhere = all(stored, `e.entry || coalesce(${PAYLOAD_TEXT}, '')`);
  const among = all(stored.map(withoutNul), `concat_ws(' ', ${BODY_FACTS}, ${PAYLOAD_FACTS})`);
  return `CASE WHEN ${anywhere} THEN ${among} ELSE false END`;
}

function withFragment(contains: Maybe<JsonValue>, bind: Bind): string | undefined {
  if (!given(contains)) return undefined;
  const exact = withoutNul(canonicalFragment(contains));
  const [fragment, normal] = [bind(exact), bind(exact.normalize("NFC"))];
  const parts = bind([...new Set(textParts(contains))]);
  const found = (document: string, wanted: string) => `EXISTS (
             SELECT FROM (SELECT (${document})::jsonb AS document OFFSET 0) d
              WHERE d.document -> 'arguments' -> 'value' @> ${wanted}::jsonb
                 OR d.document -> 'result' -> 'value' @> ${wanted}::jsonb)`;
  // Exactly as well: in normal form, two names of an object may become one, and the value of one of them is lost.
  return `CASE WHEN p.payload IS NULL
                 OR (SELECT bool_and(strpos(f.stored, ${folded("part")}) > 0)
                       FROM (SELECT ${folded(PAYLOAD_TEXT)} AS stored OFFSET 0) f, unnest(${parts}::text[]) AS part) IS FALSE
             THEN false
             ELSE ${found(PAYLOAD_WITHOUT_NUL, fragment)}
               OR ${found(`normalize(${PAYLOAD_WITHOUT_NUL}, NFC)`, normal)} END`;
}

function canonicalFragment(fragment: JsonValue): string {
  try {
    return canonicalize(fragment);
  } catch (error) {
    if (error instanceof NotCanonicalError) throw new NothingMeetsThis();
    throw error;
  }
}

/** Texts that must occur in the payload's text if it is to contain `fragment`: its keys and strings, as JSON writes them. */
function* textParts(fragment: JsonValue | undefined): Generator<string> {
  if (typeof fragment === "string") yield JSON.stringify(fragment);
  if (typeof fragment !== "object" || fragment === null) return;
  for (const [key, member] of Object.entries(fragment)) {
    if (!Array.isArray(fragment)) yield `${JSON.stringify(key)}:`;
    yield* textParts(member);
  }
}
