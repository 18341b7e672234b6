import { LRUCache } from "lru-cache";
import { type LedgerId, ledgerOf } from "../../facts/entry.ts";
import { LedgerUnavailableError } from "../../ledger/errors.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { Logger } from "../../log.ts";
import type { Authentication } from "../identity/authentication.ts";
import { AuthenticationError } from "../identity/errors.ts";
import { createWatchers, type Watched } from "../identity/watchers.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import { createSessionProofs, idOfMark, SESSION_MARK } from "./proof.ts";

/** Refuses tokens of ended browser sessions, so that a copied cookie is useless after signing out. */
export interface OpenSessions {
  /**
   * `authentication` itself, unless the browser session it belongs to has ended. An end is noticed within `freshness`.
   * Throws AuthenticationError REVOKED, LedgerUnavailableError.
   */
  admit(authentication: Authentication): Promise<Authentication>;
  /** Calls back once when the session of `authentication` ends. Returns a function that stops watching. */
  watch(authentication: Authentication, onEnded: (error: AuthenticationError) => void): () => void;
  /** Stops checking watched sessions. */
  stop(): void;
}

export interface OpenSessionsOptions {
  readonly ledgers: Pick<Ledgers, "damaged">;
  readonly db: Queryable;
  readonly region: string;
  readonly log: Pick<Logger, "warn">;
  /** Milliseconds for which an open session is assumed to be still open. */
  readonly freshness?: number;
}

/** Maximum number of cached sessions. */
const MAX_KNOWN = 10_000;

// LIMIT makes each session a separate lookup. A join planned while the table is small would later read all of it.
const IS_OPEN = {
  name: "oc_open_sessions",
  text: `
    SELECT s.mark FROM unnest($2::text[]) AS k(id)
     CROSS JOIN LATERAL (SELECT ${SESSION_MARK} AS mark, s.status, s.expires_at FROM oc_state s
                          WHERE s.ledger = $1 AND s.kind = 'SESSION' AND s.id = k.id LIMIT 1) s
     WHERE s.status = 'OPEN' AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())`,
};

/** How often sessions are looked up again because one had changed before it was proven. */
const MAX_LOOKS = 5;

interface SessionKey {
  readonly ledger: LedgerId;
  readonly id: string;
}

export function createOpenSessions(options: OpenSessionsOptions): OpenSessions {
  const { ledgers, db, region, log, freshness = 1_000 } = options;
  const proofs = createSessionProofs(db, ledgers);
  const open = new LRUCache<string, Promise<boolean>>({ max: MAX_KNOWN, ttl: freshness });
  /** What has ended stays so. */
  const ended = new LRUCache<string, true>({ max: MAX_KNOWN });
  const watchers = createWatchers(freshness, lookAt);

  const keyOf = ({ principal, sessionId = "" }: Authentication): SessionKey => ({
    ledger: ledgerOf(principal.organization, region),
    id: sessionId,
  });

  /** Those of the sessions of one ledger that are open, by id. */
  async function find(ledger: LedgerId, ids: readonly string[]): Promise<ReadonlySet<string>> {
    for (let looks = 1; looks <= MAX_LOOKS; looks += 1) {
      const { rows } = await withLedgerErrors(db.query<{ mark: string }>({ ...IS_OPEN, values: [ledger, ids] }));
      const marks = rows.map(({ mark }) => mark);
      if (await proofs.prove(ledger, marks)) return new Set(marks.map(idOfMark));
    }
    throw new LedgerUnavailableError("sessions change too fast to be checked; nothing was recorded", 1);
  }

  /** Those who ask at once share one look. */
  function isOpen({ ledger, id }: SessionKey): Promise<boolean> {
    const key = textOf({ ledger, id });
    if (ended.has(key)) return Promise.resolve(false);
    const known = open.get(key);
    if (known !== undefined) return known;
    const looking = find(ledger, [id]).then((found) => found.has(id));
    open.set(key, looking);
    looking.then(
      (still) => {
        if (!still) ended.set(key, true);
      },
      () => open.delete(key),
    );
    return looking;
  }

  /** Tells watchers of sessions of one ledger that have ended. */
  async function look(ledger: LedgerId, watched: readonly Watched[]): Promise<void> {
    const ids = new Set(watched.map(({ authentication }) => keyOf(authentication).id));
    const found = await find(ledger, [...ids]);
    for (const watcher of watched) {
      const key = keyOf(watcher.authentication);
      if (found.has(key.id)) continue;
      ended.set(textOf(key), true);
      watchers.end(watcher, over(watcher.authentication));
    }
  }

  /** One ledger after the other. One that cannot be read keeps no other from it. */
  async function lookAt(all: readonly Watched[]): Promise<void> {
    for (const [ledger, watched] of Map.groupBy(all, ({ authentication }) => keyOf(authentication).ledger)) {
      await look(ledger, watched).catch((error: unknown) =>
        log.warn({ err: error }, "open sessions could not be checked"),
      );
    }
  }

  return {
    async admit(authentication) {
      if (authentication.sessionId !== undefined && !(await isOpen(keyOf(authentication)))) throw over(authentication);
      return authentication;
    },
    watch(authentication, onOver) {
      if (authentication.sessionId === undefined) return () => undefined;
      return watchers.add({ authentication, onOver });
    },
    stop: watchers.stop,
  };
}

function textOf({ ledger, id }: SessionKey): string {
  return `${ledger} ${id}`;
}

function over({ principal }: Authentication): AuthenticationError {
  return new AuthenticationError("REVOKED", "the session has ended: sign in again", { principal });
}
