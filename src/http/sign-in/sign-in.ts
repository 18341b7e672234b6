import type { IncomingMessage, ServerResponse } from "node:http";
import type { AskProvider } from "../../domain/identity/browser/current-claims.ts";
import type { SignInSettings } from "../../domain/identity/browser/sign-in-settings.ts";
import type { IssuerSettings } from "../../domain/identity/identity-file.ts";
import { isSecureUrl } from "../../domain/identity/secure-url.ts";
import type { UsedOnce } from "../../domain/identity/used-once.ts";
import { asError } from "../../errors.ts";
import { LedgerUnavailableError } from "../../ledger/errors.ts";
import type { Logger } from "../../log.ts";
import { type BrowserSessionsDeps, createBrowserSessions } from "./browser-sessions.ts";
import { isFromHere } from "./cookie-credentials.ts";
import { SignInRefusal } from "./errors.ts";
import { sendHome } from "./home.ts";
import { CALLBACK, createLogin, LOGIN } from "./login.ts";
import { noticedAction, sendNoticePage } from "./notice-page.ts";
import { redirect, sendJson, sendRefusal, wantsHtml } from "./pages.ts";
import { createProviders } from "./providers.ts";
import { createTransactions } from "./transaction.ts";

export interface SignInDeps extends Omit<BrowserSessionsDeps, "now" | "log"> {
  readonly settings: readonly SignInSettings[];
  /** How the tokens of each issuer are read. */
  readonly issuers: readonly IssuerSettings[];
  /** 32 bytes that all servers of an installation share and nobody else knows. */
  readonly secret: Uint8Array;
  /** States that were used, of all servers. */
  readonly usedOnce: UsedOnce;
  /** Called for each refusal. */
  readonly onRefusal: (code: string) => void;
  readonly log: Pick<Logger, "info" | "warn">;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

export interface SignIn {
  /** Asks the provider of a session that began here again. */
  readonly ask: AskProvider;
  /** Handles the paths of signing in; returns undefined for any other path. */
  handle(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> | undefined;
}

interface Route {
  readonly method: "GET" | "POST";
  readonly handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
}

const HOME = "/";

/** Signing in with a browser at OpenID providers: authorization code flow with PKCE. Throws ConfigurationError. */
export function createSignIn(deps: SignInDeps): SignIn {
  const { settings, issuers, secret, publicUrl, usedOnce, onRefusal, log, now = Date.now } = deps;
  const providers = createProviders({ settings, issuers, now });
  const sessions = createBrowserSessions({ ...deps, now });
  const login = createLogin({
    providers,
    transactions: createTransactions({ secret, now }),
    sessions,
    publicUrl,
    usedOnce,
  });

  async function logout(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!isFromHere(request, publicUrl())) throw new SignInRefusal("FORGED_REQUEST");
    const issuer = await sessions.end(request);
    const provider = issuer === undefined ? undefined : providers.get(issuer);
    const next = (await provider?.endSession()) ?? new URL(HOME, publicUrl());
    response.appendHeader("set-cookie", sessions.forget());
    if (wantsHtml(request)) return redirect(response, next);
    sendJson(response, 200, { redirectTo: next.href });
  }

  async function session(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const session = await sessions.current(request);
    if (session === undefined) throw new SignInRefusal("NOT_SIGNED_IN");
    const { principal, method, sessionId, expiresAt } = session.authentication;
    const { id, kind, organization, email, displayName, roles, groups } = principal;
    const person = {
      id,
      kind,
      organization,
      email,
      displayName,
      roles,
      groups,
    };
    sendJson(response, 200, {
      principal: person,
      method,
      sessionId,
      expiresAt: new Date(expiresAt * 1000).toISOString(),
    });
  }

  /** The page after signing in or out without `returnTo`. */
  async function home(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume();
    const session = await sessions.current(request);
    const canSignIn = settings.length > 0 && isSecureUrl(publicUrl());
    sendHome(response, { canSignIn, signedIn: session?.authentication });
  }

  const routes: ReadonlyMap<string, Route> = new Map([
    [LOGIN, { method: "GET", handle: login.start }],
    [CALLBACK, { method: "GET", handle: login.finish }],
    ["/auth/logout", { method: "POST", handle: logout }],
    ["/auth/session", { method: "GET", handle: session }],
  ] as const);

  async function handle({ method, handle }: Route, request: IncomingMessage, response: ServerResponse): Promise<void> {
    // None of these reads a body.
    request.resume();
    try {
      if (!isSecureUrl(publicUrl())) throw new SignInRefusal("INSECURE_ADDRESS");
      if (request.method !== method) {
        response.setHeader("allow", method);
        throw new SignInRefusal("METHOD_NOT_ALLOWED");
      }
      await handle(request, response);
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      onRefusal(refusal.code);
      const level = refusal.status >= 500 ? "warn" : "info";
      log[level]({ code: refusal.code, reason: reasonOf(refusal) }, "signing in or out was refused");
      sendRefusal(request, response, refusal);
    }
  }

  return {
    async ask(issuer, session) {
      const provider = providers.get(issuer);
      // It was taken out of the settings since.
      if (provider === undefined) return "OVER";
      return provider.ask(session);
    },
    handle(path, request, response) {
      const noticed = request.method === "GET" || request.method === "HEAD" ? noticedAction(path) : undefined;
      if (noticed !== undefined) {
        request.resume();
        sendNoticePage(response, noticed, settings.length > 0 && isSecureUrl(publicUrl()));
        return Promise.resolve();
      }
      if (path === HOME && request.method === "GET" && wantsHtml(request)) return home(request, response);
      const route = routes.get(path);
      return route && handle(route, request, response);
    },
  };
}

function refusalOf(error: unknown): SignInRefusal | undefined {
  if (error instanceof SignInRefusal) return error;
  return error instanceof LedgerUnavailableError ? new SignInRefusal("LEDGER_UNAVAILABLE", error) : undefined;
}

/** The message only; ours contain nothing of a token. */
function reasonOf({ cause }: SignInRefusal): string | undefined {
  return cause === undefined ? undefined : asError(cause).message;
}
