import { LRUCache } from "lru-cache";
import { type LedgerId, ledgerOf } from "../../facts/entry.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { Logger } from "../../log.ts";
import type { Authentication } from "../identity/authentication.ts";
import { AuthenticationError } from "../identity/errors.ts";
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
    SELECT k.ledger, ${SESSION_MARK} AS mark FROM unnest($1::text[], $2::text[]) AS k(ledger, id)
     CROSS JOIN LATERAL (SELECT x.* FROM oc_state x
                          WHERE x.ledger = k.ledger AND x.kind = 'SESSION' AND x.id = k.id LIMIT 1) s
     WHERE s.status = 'OPEN' AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())`,
};

interface Watcher {
  readonly authentication: Authentication;
  readonly onEnded: (error: AuthenticationError) => void;
}

export function createOpenSessions(options: OpenSessionsOptions): OpenSessions {
  const { ledgers, db, region, log, freshness = 1_000 } = options;
  const proofs = createSessionProofs(db, ledgers);
  const open = new LRUCache<string, Promise<boolean>>({ max: MAX_KNOWN, ttl: freshness });
  /** What has ended stays so. */
  const ended = new LRUCache<string, true>({ max: MAX_KNOWN });
  const watchers = new Set<Watcher>();
  let timer: NodeJS.Timeout | undefined;

  const ledgerOfPrincipal = ({ principal }: Authentication) => ledgerOf(principal.organization, region);

  /** Ids of those sessions that are open. */
  async function find(all: readonly Authentication[]): Promise<ReadonlySet<string>> {
    const values = [all.map(ledgerOfPrincipal), all.map(({ sessionId }) => sessionId)];
    const { rows } = await withLedgerErrors(db.query<{ ledger: LedgerId; mark: string }>({ ...IS_OPEN, values }));
    // A row that has changed before it was proven is looked at again by the next call: it is not known to have ended.
    await Promise.all(rows.map(({ ledger, mark }) => proofs.prove(ledger, [mark])));
    return new Set(rows.map(({ mark }) => idOfMark(mark)));
  }

  /** Those who ask at once share one look. */
  function isOpen(authentication: Authentication, id: string): Promise<boolean> {
    const key = `${ledgerOfPrincipal(authentication)} ${id}`;
    if (ended.has(key)) return Promise.resolve(false);
    const known = open.get(key);
    if (known !== undefined) return known;
    const looking = find([authentication]).then((found) => found.has(id));
    open.set(key, looking);
    looking.then(
      (still) => {
        if (!still) ended.set(key, true);
      },
      () => open.delete(key),
    );
    return looking;
  }

  async function look(): Promise<void> {
    const watched = [...watchers];
    const found = await find(watched.map(({ authentication }) => authentication));
    for (const watcher of watched) {
      const { authentication, onEnded } = watcher;
      if (found.has(authentication.sessionId ?? "") || !watchers.delete(watcher)) continue;
      onEnded(over(authentication));
    }
  }

  function wait(): void {
    if (timer !== undefined || watchers.size === 0) return;
    timer = setTimeout(() => {
      look()
        .catch((error: unknown) => log.warn({ err: error }, "open sessions could not be checked"))
        .finally(() => {
          timer = undefined;
          wait();
        });
    }, freshness);
    timer.unref();
  }

  return {
    async admit(authentication) {
      const { sessionId } = authentication;
      if (sessionId !== undefined && !(await isOpen(authentication, sessionId))) throw over(authentication);
      return authentication;
    },
    watch(authentication, onEnded) {
      if (authentication.sessionId === undefined) return () => undefined;
      const watcher = { authentication, onEnded };
      watchers.add(watcher);
      wait();
      return () => void watchers.delete(watcher);
    },
    stop() {
      watchers.clear();
      clearTimeout(timer);
    },
  };
}

function over({ principal }: Authentication): AuthenticationError {
  return new AuthenticationError("REVOKED", "the session has ended: sign in again", { principal });
}
