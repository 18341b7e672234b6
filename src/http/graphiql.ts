import type { IncomingMessage, ServerResponse } from "node:http";
import { renderGraphiQL } from "@graphql-yoga/render-graphiql";
import { authorizationOf, basicPassword, bearerToken } from "./bearer.ts";
import type { Authenticate, SignedIn } from "./call.ts";

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
 * Serves GraphiQL to a signed-in human. Tokens never travel in a URL: the browser asks for one as a password, and the page
 * sends it on as a bearer token. Only this page takes it that way; the API takes bearer tokens alone, so that no browser
 * ever adds credentials to a request another site made it send.
 */
export async function serveGraphiQL(
  request: Pick<IncomingMessage, "rawHeaders">,
  authenticate: Authenticate,
  response: ServerResponse,
): Promise<void> {
  let token: string;
  let signedIn: SignedIn;
  try {
    const authorization = authorizationOf(request);
    if (authorization === undefined) return refuse(response, 401, "GraphiQL is for people who are signed in.");
    const password = basicPassword(authorization);
    token = bearerToken(password === undefined ? authorization : `Bearer ${password}`);
    signedIn = await authenticate(token);
  } catch {
    // Whatever is wrong with the token, the answer is the prompt again.
    return refuse(response, 401, "This is not a token this server accepts.");
  }
  if (signedIn.principal.kind !== "HUMAN") return refuse(response, 403, "GraphiQL is for people.");
  const page = renderGraphiQL({
    title: "Countersign",
    endpoint: "/graphql",
    subscriptionsProtocol: "SSE",
    shouldPersistHeaders: false,
    additionalHeaders: { authorization: `Bearer ${token}` },
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
