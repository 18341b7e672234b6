import type { IncomingMessage, ServerResponse } from "node:http";
import type { SignInRefusal } from "./errors.ts";

const HEADERS = {
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;

const PAGE_HEADERS = {
  ...HEADERS,
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  "x-frame-options": "DENY",
} as const;

/** Sends a refusal as a page if the browser accepts HTML, else as JSON. */
export function sendRefusal(
  request: IncomingMessage,
  response: ServerResponse,
  { code, status, message }: SignInRefusal,
): void {
  if (wantsHtml(request)) sendPage(response, status, "Signing in", `<p>${escapeHtml(message)}</p><p>${code}</p>`);
  else sendJson(response, status, { code, message });
}

export function sendJson(response: ServerResponse, status: number, body: object): void {
  response
    .writeHead(status, {
      ...HEADERS,
      "content-type": "application/json; charset=utf-8",
    })
    .end(`${JSON.stringify(body)}\n`);
}

/** `location` is a whole address: a path alone could be read as one of another host. */
export function redirect(response: ServerResponse, location: URL): void {
  response.writeHead(303, { ...HEADERS, location: location.href }).end();
}

export interface Choice {
  readonly label: string;
  readonly href: string;
}

/** Sends a page to choose one of several identity providers. */
export function sendChoices(response: ServerResponse, choices: readonly Choice[]): void {
  const links = choices.map(({ label, href }) => `<li><a href="${escapeHtml(href)}">${escapeHtml(label)}</a></li>`);
  sendPage(response, 200, "Sign in with", `<ul>${links.join("")}</ul>`);
}

export function wantsHtml({ headers }: Pick<IncomingMessage, "headers">): boolean {
  return (headers.accept ?? "").includes("text/html");
}

/** `body` is HTML; what comes from elsewhere has to be escaped in it. `headers` go over those of every page. */
export function sendPage(
  response: ServerResponse,
  status: number,
  title: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response
    .writeHead(status, { ...PAGE_HEADERS, ...headers })
    .end(
      `<!doctype html><html lang="en"><meta charset="utf-8"><title>Countersign</title><h1>${escapeHtml(title)}</h1>${body}</html>\n`,
    );
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
