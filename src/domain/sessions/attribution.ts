import DataLoader from "dataloader";
import { validate as isUuid } from "uuid";
import { type LedgerId, ledgerOf } from "../../facts/entry.ts";
import { isStorable } from "../../facts/text.ts";
import { LedgerUnavailableError } from "../../ledger/errors.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { Caller } from "../identity/principal.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import { createSessionProofs, idOfMark, SESSION_MARK } from "./proof.ts";

/** Finds the session that an entry belongs to. */
export interface Attribution {
  /**
   * The id of the session that what `caller` does now in `conversation` belongs to, or undefined when none is open. The
   * first of these that is:
   *
   * 1. the browser session the call came with;
   * 2. the caller's own latest of that conversation;
   * 3. the caller's own latest without a conversation, or, for what belongs to no conversation, the latest of any;
   * 4. for an agent, the latest of the person it acts for.
   *
   * A session is the caller's own when the same account started it acting for the same person. Throws
   * LedgerUnavailableError.
   */
  attribute(caller: Caller, conversation?: string): Promise<string | undefined>;
}

export interface AttributionOptions {
  readonly ledgers: Pick<Ledgers, "damaged">;
  readonly db: Queryable;
  readonly region: string;
}

/** The caller and its conversation, in columns of `oc_state`; null is no condition. */
interface Key {
  readonly named: string | null;
  readonly actor: string;
  readonly person: string | null;
  readonly conversation: string | null;
  /** Whether a session of the person is used when the caller has none. */
  readonly inherits: boolean;
}

const open = `s.kind = 'SESSION' AND s.status = 'OPEN' AND s.ledger = $1
                     AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())`;
const latest = (condition: string) =>
  `(SELECT ${SESSION_MARK} FROM oc_state s WHERE ${open} AND ${condition} ORDER BY s.first_seq DESC LIMIT 1)`;
/** Each has its own index of these expressions, over open sessions only. */
const of = (actor: string, person: string) =>
  latest(`ARRAY[s.actor_id, s.on_behalf_of_id] = ARRAY[${actor}, ${person}]`);
const ownIn = (conversation: string) =>
  latest(`ARRAY[s.actor_id, s.on_behalf_of_id, s.conversation] = ARRAY[k.actor, k.person, ${conversation}]`);

// `coalesce` and CASE stop at the first search that finds something. The keys are JSON, not arrays, so that the planner's
// estimate of their number does not depend on the values: then it reuses the plan, and planning costs several times as much
// as running.
const ATTRIBUTE = {
  name: "oc_attribute",
  text: `
    SELECT k.n, coalesce(
             CASE WHEN k.named IS NOT NULL
                  THEN (SELECT ${SESSION_MARK} FROM oc_state s WHERE ${open} AND s.id = k.named)
             END,
             CASE WHEN k.conversation IS NULL THEN ${of("k.actor", "k.person")}
                  ELSE coalesce(${ownIn("k.conversation")}, ${ownIn("''")}) END,
             CASE WHEN k.inherits THEN ${of("k.person", "NULL")} END) AS mark
      FROM json_to_recordset($2::json) AS k(n integer, named text, actor text, person text, conversation text, inherits boolean)`,
};

interface AttributeRow {
  readonly n: number;
  readonly mark: string | null;
}

/** How often sessions are looked up again because one had changed before it was proven. */
const MAX_LOOKS = 5;

export function createAttribution({ ledgers, db, region }: AttributionOptions): Attribution {
  /** Of the ledgers of calls under way. */
  const lookups = new Map<LedgerId, { readonly lookup: Lookup; callers: number }>();

  const proofs = createSessionProofs(db, ledgers);

  async function load(ledger: LedgerId, keys: readonly Key[]): Promise<readonly (string | undefined)[]> {
    const asked = JSON.stringify(keys.map((key, n) => ({ n, ...key })));
    for (let looks = 1; looks <= MAX_LOOKS; looks += 1) {
      const { rows } = await withLedgerErrors(db.query<AttributeRow>({ ...ATTRIBUTE, values: [ledger, asked] }));
      const marks = rows.flatMap(({ mark }) => mark ?? []);
      if (!(await proofs.prove(ledger, new Set(marks)))) continue;
      const found = new Array<string | undefined>(keys.length);
      for (const { n, mark } of rows) found[n] = mark === null ? undefined : idOfMark(mark);
      return found;
    }
    throw new LedgerUnavailableError("the sessions of the caller change too fast; nothing was recorded", 1);
  }

  return {
    async attribute({ principal, sessionId }, conversation) {
      const { id, kind, organization, onBehalfOf } = principal;
      const key: Key = {
        named: sessionId !== undefined && isUuid(sessionId) ? sessionId.toLowerCase() : null,
        actor: id,
        person: onBehalfOf?.id ?? null,
        conversation: conversation || null,
        inherits: kind === "AGENT" && onBehalfOf !== undefined,
      };
      // What the database cannot hold would fail the query for all who share it.
      if (![key.actor, key.person ?? "", key.conversation ?? ""].every(isStorable)) return undefined;
      const ledger = ledgerOf(organization, region);
      const used = lookups.get(ledger) ?? { lookup: createLookup((keys) => load(ledger, keys)), callers: 0 };
      lookups.set(ledger, used);
      used.callers += 1;
      try {
        return await used.lookup(key);
      } finally {
        used.callers -= 1;
        if (used.callers === 0) lookups.delete(ledger);
      }
    },
  };
}

type Lookup = (key: Key) => Promise<string | undefined>;

/** Keys of one query at most. */
const MAX_KEYS = 512;

/**
 * Looks one key up. Keys that come while a query runs share the next one, which begins after they came and so sees every
 * session there was then; there is no timer. Equal keys are looked up once: the callers of one agent in one conversation.
 */
function createLookup(load: (keys: readonly Key[]) => Promise<readonly (string | undefined)[]>): Lookup {
  let running: Promise<unknown> = Promise.resolve();

  async function run(keys: readonly Key[]): Promise<(string | undefined)[]> {
    const places = new Map<string, number>();
    const distinct = keys.filter((key) => {
      const text = JSON.stringify(key);
      if (places.has(text)) return false;
      places.set(text, places.size);
      return true;
    });
    const found = await load(distinct);
    return keys.map((key) => found[places.get(JSON.stringify(key)) ?? -1]);
  }

  const loader = new DataLoader<Key, string | undefined>(
    (keys) => {
      const loading = run(keys);
      running = loading.catch(() => undefined);
      return loading;
    },
    // What was found is not remembered: a session may end at any moment.
    { cache: false, maxBatchSize: MAX_KEYS, batchScheduleFn: (begin) => void running.then(() => setImmediate(begin)) },
  );
  return (key) => loader.load(key);
}
