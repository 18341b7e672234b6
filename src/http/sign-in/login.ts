import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { LRUCache } from "lru-cache";
import { randomNonce, randomPKCECodeVerifier, randomState } from "openid-client";
import { AuthenticationError } from "../../domain/identity/errors.ts";
import type { Use, UsedOnce } from "../../domain/identity/used-once.ts";
import type { BrowserSessions } from "./browser-sessions.ts";
import { cookieNames, cookieOf, setCookie } from "./cookies.ts";
import { SignInRefusal } from "./errors.ts";
import { redirect, sendChoices } from "./pages.ts";
import type { SignInProvider } from "./providers.ts";
import { ownAddress } from "./return-to.ts";
import { type OpenedTransaction, TRANSACTION_LIFETIME, type Transaction, type Transactions } from "./transaction.ts";

export interface LoginDeps {
  readonly providers: ReadonlyMap<string, SignInProvider>;
  readonly transactions: Transactions;
  readonly sessions: Pick<BrowserSessions, "begin" | "end">;
  readonly publicUrl: () => string;
  /** States that were used, of all servers. */
  readonly usedOnce: UsedOnce;
}

export const LOGIN = "/auth/login";
export const CALLBACK = "/auth/callback";
/** Characters of a `returnTo`: the browser has to keep it in a cookie, with the rest of the transaction. */
const MAX_RETURN = 1_000;

/** The two halves of signing in: the way to the provider, and the way back. Both throw SignInRefusal. */
export function createLogin({ providers, transactions, sessions, publicUrl, usedOnce }: LoginDeps) {
  /** States of sign-ins that this server completed: they say why their browser has none under way. The database decides. */
  const completed = new LRUCache<string, true>({ max: 10_000, ttl: TRANSACTION_LIFETIME * 1000 });

  function providerOf(issuer: string): SignInProvider {
    const provider = providers.get(issuer);
    if (provider === undefined) throw new SignInRefusal("UNKNOWN_ISSUER");
    return provider;
  }

  /** Claims a sign-in for this request: of all that bring its state, to any server, one goes on. */
  async function claim({ issuer, state, exp }: OpenedTransaction): Promise<Use> {
    const use = { scope: `sign-in ${issuer}`, holder: "", id: state, until: exp };
    const used = await usedOnce.use(use);
    if (used === "USED") throw new SignInRefusal("REPLAYED");
    if (used === "OVER") throw new SignInRefusal("NOT_STARTED");
    if (used === "FULL") throw new SignInRefusal("TOO_MANY_SIGN_INS");
    return use;
  }

  function choose(response: ServerResponse, { pathname, search, hash }: URL): void {
    const choices = [...providers.keys()].map((issuer) => {
      const query = new URLSearchParams({
        issuer,
        returnTo: `${pathname}${search}${hash}`,
      });
      return { label: issuer, href: `${LOGIN}?${query}` };
    });
    sendChoices(response, choices);
  }

  return {
    /** `?issuer=…&returnTo=/…`: sends the browser to the provider. Without an issuer, the only one, or a page to choose on. */
    async start(request: IncomingMessage, response: ServerResponse): Promise<void> {
      const base = publicUrl();
      const { searchParams } = requested(request, base);
      const path = single(searchParams, "returnTo") ?? "/";
      const returnTo = path.length > MAX_RETURN ? undefined : ownAddress(path, base);
      if (returnTo === undefined) throw new SignInRefusal("BAD_REQUEST");
      const [only, ...others] = providers.keys();
      const issuer = single(searchParams, "issuer") ?? (others.length === 0 ? only : undefined);
      if (issuer === undefined && others.length > 0) return choose(response, returnTo);
      const provider = providerOf(issuer ?? "");
      const transaction: Transaction = {
        issuer: provider.settings.issuer,
        state: randomState(),
        nonce: randomNonce(),
        verifier: randomPKCECodeVerifier(),
        returnTo: returnTo.href,
      };
      const location = await provider.start(transaction, new URL(CALLBACK, base).href);
      const sealed = await transactions.seal(transaction);
      response.appendHeader("set-cookie", setCookie(base, cookieNames(base).transaction, sealed, TRANSACTION_LIFETIME));
      redirect(response, location);
    },

    /** The callback: signs in and redirects to `returnTo`. */
    async finish(request: IncomingMessage, response: ServerResponse): Promise<void> {
      const base = publicUrl();
      const { transaction: name } = cookieNames(base);
      const address = requested(request, base);
      const state = single(address.searchParams, "state");
      const sealed = cookieOf(request, name);
      if (state !== undefined && completed.has(state)) throw new SignInRefusal("REPLAYED");
      const transaction = sealed === undefined ? undefined : await transactions.open(sealed);
      if (transaction === undefined) throw new SignInRefusal("NOT_STARTED");
      // Another tab may have started after the one that comes back, and still be under way.
      if (state === undefined || !isSame(state, transaction.state)) throw new SignInRefusal("STATE_MISMATCH");
      const provider = providerOf(transaction.issuer);
      const use = await claim(transaction);
      response.appendHeader("set-cookie", setCookie(base, name, "", 0));
      const session = await provider.finish(transaction, address).catch(async (error: unknown) => {
        // Nobody signed in. Anybody can make such states, and must not use up the capacity for people who do.
        await usedOnce.forget(use).catch(() => undefined);
        throw error instanceof AuthenticationError ? new SignInRefusal("CLAIMS_REFUSED", error) : error;
      });
      completed.set(state, true);
      // One browser, one session: nobody holds the token of the one before any more.
      await sessions.end(request);
      response.appendHeader("set-cookie", await sessions.begin(request, provider.settings, session));
      redirect(response, new URL(transaction.returnTo));
    },
  };
}

/** The address of a request, as a browser sees it. */
function requested({ url = "/" }: IncomingMessage, base: string): URL {
  const address = ownAddress(url, base);
  if (address === undefined) throw new SignInRefusal("BAD_REQUEST");
  return address;
}

/** A parameter that may come once: of two, which one would count? */
function single(parameters: URLSearchParams, name: string): string | undefined {
  const values = parameters.getAll(name);
  if (values.length > 1) throw new SignInRefusal("BAD_REQUEST");
  return values[0];
}

/** Compares in constant time. */
function isSame(one: string, other: string): boolean {
  const [first, second] = [one, other].map((text) => createHash("sha256").update(text).digest());
  return first !== undefined && second !== undefined && timingSafeEqual(first, second);
}
