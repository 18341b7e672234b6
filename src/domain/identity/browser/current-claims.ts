import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import { asError } from "../../../errors.ts";
import type { Queryable } from "../../../ledger/read.ts";
import type { Logger } from "../../../log.ts";
import type { Authentication } from "../authentication.ts";
import { AuthenticationError, ProviderUnavailableError } from "../errors.ts";
import type { Principal } from "../principal.ts";
import { createWatchers, type Watched } from "../watchers.ts";
import { createSealedSessions, type ProviderSession, type StoredProviderSession } from "./provider-session.ts";
import { createProviderSessionStore } from "./provider-session-store.ts";

/** Asks an identity provider again. Throws ProviderUnavailableError when it does not respond, or not as OpenID Connect says. */
export type AskProvider = (issuer: string, session: ProviderSession) => Promise<ProviderSession | "OVER">;

/** Groups and roles of people in browser sessions, as their identity provider has them now. */
export interface CurrentClaims {
  /** Stores a new session, which the provider has just confirmed. Throws LedgerUnavailableError. */
  begin(sessionId: string, issuer: string, session: ProviderSession, expiresAt: number): Promise<void>;
  /** Forgets a session that its person ended. Throws LedgerUnavailableError. */
  end(sessionId: string): Promise<void>;
  /**
   * `authentication` with what the provider says of the person, not longer ago than `CLAIMS_MAX_AGE`, or longer while the provider
   * cannot be asked. The same object for the same argument as long as that stays the same. One that is no browser session's is
   * returned as it is. Throws AuthenticationError REVOKED when the provider ended the session, LedgerUnavailableError.
   */
  forReading(authentication: Authentication): Promise<Authentication>;
  /** The same, not longer ago than `DECISION_CLAIMS_MAX_AGE`. Throws ProviderUnavailableError, too. */
  forDecision(authentication: Authentication): Promise<Authentication>;
  /** Calls back once when the person has lost a group or a role of `authentication`, or the session. Returns what stops watching. */
  watch(authentication: Authentication, onLost: (error: AuthenticationError) => void): () => void;
  stop(): void;
}

export interface CurrentClaimsOptions {
  readonly db: Queryable;
  /** 32 bytes that all servers of an installation share and nobody else knows. */
  readonly secret: Uint8Array;
  readonly ask: AskProvider;
  /** Records that a provider ended a session. Throws LedgerUnavailableError. */
  readonly revoke: (organization: string, sessionId: string) => Promise<void>;
  /** Milliseconds. */
  readonly maxAge: number;
  /** Milliseconds; 0: the provider is asked for each decision. */
  readonly decisionMaxAge: number;
  readonly log: Pick<Logger, "info" | "warn">;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** Sessions that are kept in memory with their claims; the least recently used one goes first. */
const MAX_KNOWN = 10_000;
/** Milliseconds a call waits for a provider. A check that takes longer goes on, and serves later calls. */
const PATIENCE = 8_000;
/** Milliseconds after a failed check in which readers cause no other. */
const RETRY = 5_000;
/** Milliseconds between two looks at what another server stored. */
const LOOK = 100;
/** Sessions with open streams that are checked at once. */
const LOOKS_AT_ONCE = 16;
/** Milliseconds between two looks at sessions with open streams, at most. */
const LONGEST_LOOK = 15_000;

interface Known {
  /** Of the last check. */
  authentication: Authentication;
  checkedAt: number;
  /** When a check failed last; 0 since one succeeded. */
  failedAt: number;
}

interface Watcher extends Watched {
  readonly before: Principal;
}

export function createCurrentClaims(options: CurrentClaimsOptions): CurrentClaims {
  const { db, secret, ask, revoke, maxAge, decisionMaxAge, log, now = Date.now } = options;
  const sealed = createSealedSessions(secret);
  const store = createProviderSessionStore(db);
  const known = new LRUCache<string, Known>({ max: MAX_KNOWN });
  /** Checks under way. */
  const checking = new Map<string, Promise<Known>>();
  const watchers = createWatchers<Watcher>(Math.min(maxAge, LONGEST_LOOK), lookAtAll);

  function remember(presented: Authentication, { identity, checkedAt }: StoredProviderSession): Known {
    const id = sessionOf(presented);
    const before = known.get(id);
    // An admission is remembered by the object: another one only for other claims.
    const same = before !== undefined && isSame(before.authentication.principal, identity.principal);
    const authentication = same ? before.authentication : { ...presented, principal: identity.principal };
    const current = { authentication, checkedAt, failedAt: 0 };
    known.set(id, current);
    return current;
  }

  async function opened(presented: Authentication, text: string): Promise<StoredProviderSession> {
    const session = await sealed.open(sessionOf(presented), text);
    // Somebody else wrote it, or with other keys.
    if (session === undefined || !isOf(presented, session)) throw over(presented);
    return session;
  }

  /** A time to come is that of a server whose clock is ahead: how old it is, is not known. */
  const isSince = ({ checkedAt }: Pick<Known, "checkedAt">, since: number) => checkedAt >= since && checkedAt <= now();

  /** Claims that the provider gave at `since` or later: this server asks, or the one that asks already. */
  async function check(presented: Authentication, since: number): Promise<Known> {
    const id = sessionOf(presented);
    const checker = randomUUID();
    const end = performance.now() + PATIENCE;
    for (;;) {
      const claimed = await store.claim(id, checker);
      if (claimed !== undefined) return askWith(presented, checker, claimed, since);
      const stored = await store.read(id);
      if (stored === undefined) throw over(presented);
      const session = await opened(presented, stored);
      if (isSince(session, since)) return remember(presented, session);
      if (performance.now() > end) throw new ProviderUnavailableError();
      await pause(LOOK);
    }
  }

  /** As the one server that asks for this session. */
  async function askWith(presented: Authentication, checker: string, stored: string, since: number): Promise<Known> {
    const id = sessionOf(presented);
    let replaced: string | undefined;
    try {
      const before = await opened(presented, stored);
      // Another server was faster.
      if (isSince(before, since)) return remember(presented, before);
      const checkedAt = now();
      const asked = await ask(before.issuer, before);
      if (asked === "OVER" || !isOf(presented, asked)) {
        log.info({ organization: presented.principal.organization, session: id }, "the provider ended a session");
        await revoke(presented.principal.organization, id);
        await store.remove(id);
        known.delete(id);
        throw over(presented);
      }
      const session = { ...asked, issuer: before.issuer, checkedAt };
      replaced = await sealed.seal(id, session);
      return remember(presented, session);
    } finally {
      await store.release(id, checker, replaced);
    }
  }

  function begin(presented: Authentication, since: number): Promise<Known> {
    const id = sessionOf(presented);
    const result = check(presented, since).finally(() => checking.delete(id));
    checking.set(id, result);
    result.catch((error: unknown) => {
      if (!(error instanceof ProviderUnavailableError)) return;
      const current = known.get(id);
      if (current !== undefined) current.failedAt = now();
      log.warn({ err: asError(error.cause ?? error) }, "an identity provider could not be asked about a session");
    });
    return result;
  }

  /** Those who ask for one session at once share one check. */
  async function shared(presented: Authentication, since: number): Promise<Known> {
    const id = sessionOf(presented);
    for (let underWay = checking.get(id); underWay !== undefined; underWay = checking.get(id)) {
      const found = await withPatience(underWay);
      // Of one that began earlier, the provider may have been asked before `since`.
      if (found.checkedAt >= since) return found;
    }
    return withPatience(begin(presented, since));
  }

  /** What was found out before, here or by another server, however long ago. */
  async function latest(presented: Authentication): Promise<Known> {
    const id = sessionOf(presented);
    const current = known.get(id);
    if (current !== undefined) return current;
    const stored = await store.read(id);
    if (stored === undefined) throw over(presented);
    return remember(presented, await opened(presented, stored));
  }

  async function forReading(presented: Authentication): Promise<Authentication> {
    if (presented.sessionId === undefined) return presented;
    const current = await latest(presented);
    const at = now();
    if (isSince(current, at - maxAge)) return current.authentication;
    if (current.failedAt !== 0) {
      // No call waits again for a provider that did not respond.
      const isDue = at - current.failedAt >= RETRY && !checking.has(sessionOf(presented));
      if (isDue) void begin(presented, at - maxAge);
      return current.authentication;
    }
    try {
      return (await shared(presented, at - maxAge)).authentication;
    } catch (error) {
      if (!(error instanceof ProviderUnavailableError)) throw error;
      const before = known.get(sessionOf(presented)) ?? current;
      before.failedAt = at;
      return before.authentication;
    }
  }

  async function look(watcher: Watcher): Promise<void> {
    const { authentication, before } = watcher;
    let lost: AuthenticationError | undefined;
    try {
      const { principal } = await forReading(authentication);
      if (!keeps(principal, before)) {
        lost = new AuthenticationError("REVOKED", "your rights have changed: sign in again", { principal });
      }
    } catch (error) {
      if (error instanceof AuthenticationError) lost = error;
      else log.warn({ err: asError(error) }, "the claims of a session could not be checked");
    }
    if (lost !== undefined) watchers.end(watcher, lost);
  }

  /** Some at a time: a server with many streams does not ask a provider for all at once. */
  async function lookAtAll(watched: readonly Watcher[]): Promise<void> {
    const all = [...watched];
    while (all.length > 0) await Promise.all(all.splice(0, LOOKS_AT_ONCE).map(look));
  }

  return {
    async begin(sessionId, issuer, session, expiresAt) {
      await store.add(sessionId, await sealed.seal(sessionId, { ...session, issuer, checkedAt: now() }), expiresAt);
    },
    async end(sessionId) {
      known.delete(sessionId);
      await store.remove(sessionId);
    },
    forReading,
    async forDecision(presented) {
      if (presented.sessionId === undefined) return presented;
      const since = now() - decisionMaxAge;
      const current = known.get(presented.sessionId);
      const isFresh = decisionMaxAge > 0 && current !== undefined && isSince(current, since);
      return (isFresh ? current : await shared(presented, since)).authentication;
    },
    watch(authentication, onOver) {
      if (authentication.sessionId === undefined) return () => undefined;
      const { principal } = known.get(authentication.sessionId)?.authentication ?? authentication;
      return watchers.add({ authentication, before: principal, onOver });
    },
    stop: watchers.stop,
  };
}

/** Whether a provider's session is that of the person who presents it. */
function isOf({ principal }: Authentication, { identity }: ProviderSession): boolean {
  const { id, kind, organization } = identity.principal;
  return id === principal.id && kind === principal.kind && organization === principal.organization;
}

function sessionOf({ sessionId }: Authentication): string {
  if (sessionId === undefined) throw new Error("a call without a browser session has no claims to check");
  return sessionId;
}

function over({ principal }: Authentication): AuthenticationError {
  return new AuthenticationError("REVOKED", "the identity provider has ended this session: sign in again", {
    principal,
  });
}

/** The result of a check, unless it takes too long; it goes on then. */
async function withPatience<Result>(work: Promise<Result>): Promise<Result> {
  const given = new AbortController();
  const tooLate = pause(PATIENCE, undefined, { signal: given.signal, ref: false }).then(() => {
    throw new ProviderUnavailableError(new Error("it takes too long"));
  });
  tooLate.catch(() => undefined);
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    given.abort();
  }
}

function isSame(one: Principal, other: Principal): boolean {
  const profile = ({ email, emailVerified, displayName, region }: Principal) =>
    JSON.stringify([email, emailVerified, displayName, region]);
  return keeps(one, other) && keeps(other, one) && profile(one) === profile(other);
}

/** Whether `now` has every group and role of `before`. */
function keeps(now: Principal, before: Principal): boolean {
  return (
    before.groups.every((group) => now.groups.includes(group)) && before.roles.every((role) => now.roles.includes(role))
  );
}
