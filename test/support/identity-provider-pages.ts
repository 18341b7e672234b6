import type { Configuration, KoaContextWithOIDC } from "oidc-provider";
import type { ProviderUser } from "./identity-provider.ts";

/** The pages of the provider. They load nothing: those that come with oidc-provider ask another server for fonts. */

function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><h1>${title}</h1>${body}</html>\n`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Asks who it is: a button a person. */
export function signInPage(uid: string, users: Readonly<Record<string, ProviderUser>>): string {
  const buttons = Object.entries(users).map(
    ([id, { name, roles, groups }]) =>
      `<p><button name="login" value="${id}">${escapeHtml(name)}</button> ${listed("roles", roles)}, ${listed("groups", groups)}</p>`,
  );
  return page("Sign in as", `<form method="post" action="/interaction/${uid}">${buttons.join("")}</form>`);
}

function listed(what: string, names: readonly string[]): string {
  return `${what}: ${escapeHtml(names.join(", ")) || "none"}`;
}

/** Where a browser ends its session at the provider. `form` is what oidc-provider wants submitted. */
async function logoutSource(context: KoaContextWithOIDC, form: string): Promise<void> {
  context.body = page(
    "Sign out of the identity provider?",
    `<p>You are signed out of the application already.</p>${form}
    <button type="submit" form="op.logoutForm" value="yes" name="logout">Sign out here too</button>`,
  );
}

async function postLogoutSuccessSource(context: KoaContextWithOIDC): Promise<void> {
  context.body = page("You are signed out", "<p>You may close this page, or sign in as somebody else.</p>");
}

export const logoutPages = { enabled: true, logoutSource, postLogoutSuccessSource };

export const renderError: NonNullable<Configuration["renderError"]> = async (context, out) => {
  context.type = "html";
  const rows = Object.entries(out).map(
    ([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(String(value))}</dd>`,
  );
  context.body = page("That did not work", `<dl>${rows.join("")}</dl>`);
};
