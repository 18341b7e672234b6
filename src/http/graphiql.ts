import type { IncomingMessage, ServerResponse } from "node:http";
import { renderGraphiQL } from "@graphql-yoga/render-graphiql";
import type { Credentials } from "../domain/identity/authentication.ts";
import { type CallIdentity, factsOf, type SignedIn } from "./call.ts";
import { authorizationOf, basicPassword, credentials, credentialsOf } from "./credentials.ts";

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

/** Whether a browser asks for a page, and not a client for an answer. */
export function wantsPage({ method, url = "", headers }: IncomingMessage): boolean {
  return method === "GET" && (headers.accept ?? "").includes("text/html") && !/[?&]query=/.test(url);
}

function refuse(response: ServerResponse, status: number, message: string): void {
  // A browser knows one way to ask for a secret before a page: the password prompt of RFC 7617.
  if (status === 401)
    response.setHeader(
      "www-authenticate",
      'Basic realm="Countersign: any name, and your token as the password", charset="UTF-8"',
    );
  response
    .writeHead(status, { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" })
    .end(`${message}\n`);
}

/**
 * Serves GraphiQL to a signed-in human: by their browser session, or by a token. Tokens never travel in a URL: the browser
 * asks for one as a password, and the page sends it on as a bearer token. Only this page takes it that way.
 */
export async function serveGraphiQL(
  request: IncomingMessage,
  identity: CallIdentity,
  publicUrl: string,
  response: ServerResponse,
): Promise<void> {
  let presented: Credentials | undefined;
  let signedIn: SignedIn;
  try {
    presented = presentedTo(request, publicUrl) ?? identity.pageCookie?.(request);
    if (presented === undefined) return refuse(response, 401, "GraphiQL is for people who are signed in.");
    signedIn = await identity.authenticate(presented);
  } catch (error) {
    identity.refused?.(error, factsOf(request));
    // Whatever is wrong with the token, the answer is the prompt again.
    return refuse(response, 401, "This is not a token this server accepts.");
  }
  if (signedIn.principal.kind !== "HUMAN") return refuse(response, 403, "GraphiQL is for people.");
  const page = renderGraphiQL({
    title: "Countersign",
    endpoint: "/graphql",
    subscriptionsProtocol: "SSE",
    shouldPersistHeaders: false,
    credentials: "same-origin",
    // A browser session needs nothing: the cookie goes with what the page sends to its own server.
    ...(presented.scheme === "Bearer" ? { additionalHeaders: { authorization: `Bearer ${presented.token}` } } : {}),
  });
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
