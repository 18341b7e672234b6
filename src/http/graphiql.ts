import type { IncomingMessage, ServerResponse } from "node:http";
import { GraphQLError } from "graphql";
import type { Credentials } from "../domain/identity/authentication.ts";
import { AuthenticationError } from "../domain/identity/errors.ts";
import { LedgerUnavailableError } from "../ledger/errors.ts";
import { type CallIdentity, requestHeadOf, type SignedIn } from "./call.ts";
import { authorizationOf, basicPassword, credentials, credentialsOf } from "./credentials.ts";
import { renderPage } from "./graphiql-page.ts";
import { escapeHtml, sendPage } from "./sign-in/pages.ts";

/** Everything the page needs is in it: it loads nothing from anywhere, and talks to this server alone. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'unsafe-inline' 'unsafe-eval' blob:",
  "worker-src blob:",
  "style-src 'unsafe-inline'",
  "img-src data: blob:",
  "font-src data:",
  "connect-src 'self'",
  "frame-ancestors 'none'",
  "form-action 'none'",
  "base-uri 'none'",
].join("; ");

/** Whether a browser requests the page (and not a client the result of a GET query). */
export function wantsGraphiql({ method, url = "", headers }: IncomingMessage): boolean {
  return method === "GET" && (headers.accept ?? "").includes("text/html") && !/[?&]query=/.test(url);
}

interface Refusal {
  readonly status: number;
  readonly message: string;
  /** Where people sign in with this browser; undefined: they give a token. */
  readonly signInAt?: string | undefined;
}

/** RFC 7617: the only way for a browser to prompt for a secret before it shows a page. */
const PROMPT = 'Basic realm="Countersign: any name, and your token as the password", charset="UTF-8"';
const HOW_TO_PROMPT =
  "Reload this page and give any name, and a person's token as the password. `npx countersign token --as approver` prints one.";

function refuse(response: ServerResponse, { status, message, signInAt }: Refusal): void {
  const plain = { "cache-control": "no-store", "content-type": "text/plain; charset=utf-8" };
  if (status === 401 && signInAt !== undefined) {
    const link = `<p><a href="${signInAt}?returnTo=%2Fgraphql">Sign in</a></p>`;
    sendPage(response, status, "GraphiQL", `<p>${escapeHtml(message)}</p>${link}`);
    return;
  }
  if (status === 401) response.setHeader("www-authenticate", PROMPT);
  response.writeHead(status, plain).end(`${message}\n${status === 401 ? `${HOW_TO_PROMPT}\n` : ""}`);
}

/**
 * Serves GraphiQL to a person who is signed in by a browser session or a token. Tokens are never in a URL: the browser
 * prompts for one as a password, and the page sends it as a bearer token. Only this page accepts a password.
 */
export async function serveGraphiQL(
  request: IncomingMessage,
  identity: CallIdentity,
  publicUrl: string,
  response: ServerResponse,
): Promise<void> {
  const { signInAt } = identity;
  let presented: Credentials | undefined;
  let signedIn: SignedIn;
  try {
    presented = presentedTo(request, publicUrl) ?? identity.pageCookie?.(request);
    if (presented === undefined) {
      return refuse(response, { status: 401, message: "GraphiQL is for people who are signed in.", signInAt });
    }
    signedIn = await identity.authenticate(presented);
  } catch (error) {
    identity.refused?.(error, requestHeadOf(request));
    if (error instanceof LedgerUnavailableError) return refuse(response, { status: 503, message: `${error.message}.` });
    if (!(error instanceof AuthenticationError || error instanceof GraphQLError)) throw error;
    // The prompt or link is shown again, to get a valid token.
    return refuse(response, { status: 401, message: `You cannot be signed in: ${error.message}`, signInAt });
  }
  if (signedIn.principal.kind !== "HUMAN") {
    return refuse(response, {
      status: 403,
      message: "GraphiQL is for people, and this is the token of an agent or a service.",
    });
  }
  // A browser session needs nothing: the cookie goes with what the page sends to its own server.
  const page = renderPage(presented.scheme === "Bearer" ? presented.token : undefined);
  response
    .writeHead(200, {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy": CONTENT_SECURITY_POLICY,
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
    })
    .end(page);
}

function presentedTo(request: IncomingMessage, publicUrl: string): Credentials | undefined {
  const authorization = authorizationOf(request);
  const password = authorization === undefined ? undefined : basicPassword(authorization);
  if (password === undefined) return credentialsOf(request, publicUrl);
  return credentials(`Bearer ${password}`, undefined, { method: "GET", url: publicUrl });
}
