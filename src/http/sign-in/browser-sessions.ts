import type { IncomingMessage } from "node:http";
import type { Authentication } from "../../domain/identity/authentication.ts";
import type { CurrentClaims } from "../../domain/identity/browser/current-claims.ts";
import type { ProviderSession } from "../../domain/identity/browser/provider-session.ts";
import type { SessionTokens } from "../../domain/identity/browser/session-tokens.ts";
import type { SignInSettings } from "../../domain/identity/browser/sign-in-settings.ts";
import { AuthenticationError } from "../../domain/identity/errors.ts";
import type { Caller } from "../../domain/identity/principal.ts";
import { SessionRefusal } from "../../domain/sessions/errors.ts";
import type { Session, Sessions } from "../../domain/sessions/sessions.ts";
import { stateIn } from "../../facts/decode.ts";
import type { Logger } from "../../log.ts";
import { type CallIdentity, requestHeadOf } from "../call.ts";
import { traceIdFor } from "../trace.ts";
import { sessionCookie } from "./cookie-credentials.ts";
import { cookieNames, fitsCookie, setCookie } from "./cookies.ts";
import { SignInRefusal } from "./errors.ts";

export interface BrowserSessionsDeps {
  /** Where browsers reach this server, such as `https://countersign.example`. */
  readonly publicUrl: () => string;
  readonly sessions: Pick<Sessions, "start" | "end">;
  readonly sessionTokens: SessionTokens;
  readonly claims: Pick<CurrentClaims, "begin" | "end">;
  /** Checks an authenticated person against the directory, and adds the roles it has for them. Throws AuthenticationError. */
  readonly admit: (authentication: Authentication) => Promise<Authentication>;
  readonly identity: Pick<CallIdentity, "authenticate" | "identify" | "addressOf">;
  /** Authenticates without checking whether the owner may call. Throws AuthenticationError. */
  readonly recognize: CallIdentity["authenticate"];
  readonly log: Pick<Logger, "info">;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** The session of a request, with its token. */
export interface CurrentSession {
  readonly authentication: Authentication;
  readonly token: string;
}

export type BrowserSessions = ReturnType<typeof createBrowserSessions>;

/** A placeholder of the length of a session id. */
const SOME_ID = "00000000-0000-7000-8000-000000000000";

/** Sessions in a browser's cookie. Each is recorded before the cookie is set. */
export function createBrowserSessions(deps: BrowserSessionsDeps) {
  const { publicUrl, sessions, sessionTokens, claims, admit, identity, recognize, log, now } = deps;

  async function callerOf(request: IncomingMessage, authentication: Authentication): Promise<Caller> {
    const facts = requestHeadOf(request);
    const { principal, method, assurance, expiresAt, sessionId } = authentication;
    const { traceparent } = request.headers;
    return {
      principal,
      client: await identity.identify(facts, authentication),
      address: identity.addressOf(facts),
      traceId: traceIdFor(typeof traceparent === "string" ? traceparent : undefined),
      method,
      assurance,
      expiresAt,
      sessionId,
    };
  }

  async function admitted(authentication: Authentication): Promise<Authentication> {
    try {
      return await admit(authentication);
    } catch (error) {
      throw error instanceof AuthenticationError ? new SignInRefusal("ACCESS_REFUSED", error) : error;
    }
  }

  /** Undefined when the browser has no session that `authenticate` accepts. */
  async function sessionOf(
    request: IncomingMessage,
    authenticate: CallIdentity["authenticate"],
  ): Promise<CurrentSession | undefined> {
    const presented = sessionCookie(request, publicUrl());
    if (presented === undefined) return undefined;
    try {
      return { authentication: await authenticate(presented), token: presented.token };
    } catch (error) {
      if (error instanceof AuthenticationError) return undefined;
      throw error;
    }
  }

  return {
    /** Undefined when the browser is not signed in. */
    current: (request: IncomingMessage) => sessionOf(request, identity.authenticate),

    /** Records that a person signed in. Returns the Set-Cookie header. Throws SignInRefusal, LedgerUnavailableError. */
    async begin(request: IncomingMessage, at: SignInSettings, provided: ProviderSession): Promise<string> {
      const { principal, method, assurance } = provided.identity;
      if (principal.kind !== "HUMAN" || principal.onBehalfOf !== undefined) throw new SignInRefusal("NOT_A_PERSON");
      const name = cookieNames(publicUrl()).session;
      const seconds = Math.floor(now() / 1000);
      const kept = { principal, method, assurance, signedInAt: at.issuer };
      // A session is not recorded when its cookie would be too large.
      const trial = await sessionTokens.sign({ ...kept, sessionId: SOME_ID, expiresAt: seconds });
      if (!fitsCookie(name, trial)) throw new SignInRefusal("TOO_MUCH_SAID");
      const signedIn = { principal, method, assurance, issuer: at.issuer, clientId: at.clientId, expiresAt: seconds };
      const { session } = await sessions.start(await callerOf(request, await admitted(signedIn)), { alone: true });
      log.info({ organization: principal.organization, session: session.id, method }, "a person signed in");
      const expiresAt = expiryOf(session);
      await claims.begin(session.id, at.issuer, provided, expiresAt);
      const token = await sessionTokens.sign({ ...kept, sessionId: session.id, expiresAt });
      // From now, not from before the session was recorded: the cookie must not outlive it.
      return setCookie(publicUrl(), name, token, Math.max(0, expiresAt - Math.ceil(now() / 1000)));
    },

    /**
     * Records that the person of this request signed out, unless the session has already ended. Returns the issuer they signed
     * in at; undefined when they were not signed in. Works for suspended people too: after a reinstatement the session must
     * not be open again. Throws LedgerUnavailableError.
     */
    async end(request: IncomingMessage): Promise<string | undefined> {
      const session = await sessionOf(request, recognize);
      if (session === undefined) return undefined;
      const { authentication, token } = session;
      const { sessionId } = authentication;
      try {
        if (sessionId !== undefined) {
          await sessions.end(await callerOf(request, authentication), { sessionId });
          await claims.end(sessionId);
        }
        log.info({ organization: authentication.principal.organization, session: sessionId }, "a person signed out");
      } catch (error) {
        if (!(error instanceof SessionRefusal)) throw error;
      }
      return sessionTokens.issuerOf(token);
    },

    /** The Set-Cookie header that deletes the session cookie. */
    forget(): string {
      return setCookie(publicUrl(), cookieNames(publicUrl()).session, "", 0);
    },
  };
}

/** The recorded expiry of a session, in seconds since the epoch. */
function expiryOf({ id, started }: Session): number {
  const recorded = Date.parse(String(stateIn(started, "SESSION")?.state.expiresAt));
  if (Number.isNaN(recorded)) throw new Error(`session ${id} was recorded without its end`);
  return Math.floor(recorded / 1000);
}
