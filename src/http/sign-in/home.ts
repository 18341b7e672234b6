import type { ServerResponse } from "node:http";
import type { Authentication } from "../../domain/identity/authentication.ts";
import { OPENID_CONNECT } from "../../domain/identity/browser/sign-in-methods.ts";
import { escapeHtml, sendPage } from "./pages.ts";

/** What the page at `/` shows: where a browser lands after signing in or out. */
export interface Home {
  /** Who is signed in with the browser; undefined: nobody. */
  readonly signedIn: Authentication | undefined;
  /** Whether people can sign in here with a browser. */
  readonly canSignIn: boolean;
}

const GRAPHIQL = '<p><a href="/graphql">Open GraphiQL</a></p>';
const SIGN_IN = '<p><a href="/auth/login">Sign in</a></p>';
const BY_TOKEN =
  "<p>Sign-in with a browser is not configured: there is no <code>signIn</code> in an IDENTITY_FILE. GraphiQL asks for a " +
  "password: a person's token, which <code>npx countersign token --as approver</code> prints.</p>";
const SIGN_OUT = '<form method="post" action="/auth/logout"><button>Sign out</button></form>';

export function sendHome(response: ServerResponse, { signedIn, canSignIn }: Home): void {
  const how = canSignIn ? SIGN_IN : `${BY_TOKEN}${GRAPHIQL}`;
  const body =
    signedIn === undefined ? `<p>You are not signed in.</p>${how}` : `${about(signedIn)}${GRAPHIQL}${SIGN_OUT}`;
  // The form must send its origin, which a page without any referrer does not.
  sendPage(response, 200, "Countersign", body, { "referrer-policy": "same-origin", "content-security-policy": POLICY });
}

/** Signing out redirects to the identity provider, which browsers would refuse under a form-action policy. */
const POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'";

function about({ principal, method, expiresAt }: Authentication): string {
  const { id, organization, displayName, email, roles, groups } = principal;
  const until = new Date(expiresAt * 1000).toISOString();
  const rows = [
    ["Name", displayName ?? ""],
    ["E-mail", email ?? ""],
    ["Id", id],
    ["Organization", organization],
    ["Roles", roles.join(", ") || "none"],
    ["Groups", groups.join(", ") || "none"],
    ["Signed in by", method === OPENID_CONNECT ? `${method} (the identity provider does not say how)` : method],
    ["Until", until],
  ].filter(([, value]) => value !== "");
  const list = rows.map(([name = "", value = ""]) => `<dt>${name}</dt><dd>${escapeHtml(value)}</dd>`).join("");
  return `<p>You are signed in.</p><dl>${list}</dl>`;
}
