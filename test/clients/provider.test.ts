import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root } from "../cli/run.ts";
import { openBrowser, type Visit } from "../support/browser.ts";
import { NATIVE_CLIENT, NATIVE_REDIRECT, RESOURCE } from "../support/identity-provider.ts";
import { codeFlow, signInAt } from "../support/oauth-client.ts";
import { waitUntil } from "../support/wait.ts";

let child: ChildProcess;
let said = "";
let issuer: string;
beforeAll(async () => {
  child = spawn(process.execPath, [path.join(root, "clients/demo/provider.ts"), "--port", "0"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  await waitUntil(() => /http:\S+?(?=,)/.test(said));
  issuer = /http:\S+?(?=,)/.exec(said)![0];
});
afterAll(() => void child.kill("SIGKILL"));

function signIn(): URL {
  const start = new URL("/auth", issuer);
  start.search = new URLSearchParams({
    client_id: NATIVE_CLIENT,
    response_type: "code",
    redirect_uri: NATIVE_REDIRECT,
    scope: "openid profile",
    code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    code_challenge_method: "S256",
  }).toString();
  return start;
}

/** A page, having checked that it loads nothing. */
async function read({ response }: Visit): Promise<string> {
  const page = await response.text();
  expect(page).not.toMatch(/@import|<link|<script|<img|url\(/);
  return page;
}

describe("the demo identity provider", () => {
  it("does not say that people signed in with a password, which it asks nobody for", async () => {
    const provider = { issuer, resource: RESOURCE, tokenEndpoint: `${issuer}/token` };
    const { access_token: token } = await codeFlow(provider, "mia");
    expect(decodeJwt(token)).toMatchObject({ sub: "mia", groups: ["support"] });
    expect(decodeJwt(token)).not.toHaveProperty("amr");
  });

  it("asks at each sign-in who it is, whoever signed in with the browser before", async () => {
    const browser = openBrowser();
    expect((await signInAt(browser, signIn(), "ada", NATIVE_REDIRECT)).url.href).toContain("code=");
    const again = await browser.open(signIn(), {}, NATIVE_REDIRECT);
    expect(again.url.pathname).toMatch(/^\/interaction\//);
    expect(await read(again)).toContain('value="mia"');
    // Another person ends the session of the one before: a form that browsers submit by themselves.
    const form = await (await signInAt(browser, signIn(), "mia", NATIVE_REDIRECT)).response.text();
    const [, action = ""] = /action="([^"]+)"/.exec(form) ?? [];
    const hidden = [...form.matchAll(/name="(\w+)" value="([^"]+)"/g)].map(([, name = "", value = ""]) => [
      name,
      value,
    ]);
    const body = new URLSearchParams(hidden);
    expect((await browser.open(action, { method: "POST", body }, NATIVE_REDIRECT)).url.href).toContain("code=");
  });

  it("has pages of its own to sign out on, and for what went wrong", async () => {
    const browser = openBrowser();
    await signInAt(browser, signIn(), "ada", NATIVE_REDIRECT);
    const asked = await browser.open(new URL("/session/end", issuer));
    const page = await read(asked);
    const [, xsrf = ""] = /name="xsrf" value="([^"]+)"/.exec(page) ?? [];
    const [, action = ""] = /action="([^"]+)"/.exec(page) ?? [];
    const body = new URLSearchParams({ xsrf, logout: "yes" });
    const out = await browser.open(new URL(action, issuer), { method: "POST", body });
    expect(await read(out)).toContain("You are signed out");
    const failed = await browser.open(new URL("/auth?client_id=nobody", issuer), { headers: { accept: "text/html" } });
    expect(await read(failed)).toContain("invalid_client");
    expect(said).not.toContain("NOTICE");
  });

  it("ends with 0 when it is told to", async () => {
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
  });
});
