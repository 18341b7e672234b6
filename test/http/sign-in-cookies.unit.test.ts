import { describe, expect, it } from "vitest";
import { cookieCredentials, sessionCookie } from "../../src/http/sign-in/cookie-credentials.ts";

const here = "https://countersign.example";
const cookie = "__Host-countersign=a.b.c";
const presented = { scheme: "Cookie", token: "a.b.c" };
const json = "application/json";
const upgrade = { connection: "Upgrade", upgrade: "websocket" };

interface Case {
  readonly method: string;
  readonly headers: Record<string, string>;
}

const post = (headers: Record<string, string>): Case => ({
  method: "POST",
  headers: { "content-type": json, cookie, ...headers },
});
const get = (headers: Record<string, string>): Case => ({ method: "GET", headers: { cookie, ...headers } });

describe("the cookie counts for", () => {
  const cases: readonly (readonly [string, Case])[] = [
    ["JSON from a page of ours", post({ origin: here })],
    ["JSON with a character set", post({ origin: here, "content-type": "Application/JSON; charset=utf-8" })],
    ["JSON from here, by the fetch metadata", post({ "sec-fetch-site": "same-origin" })],
    ["JSON that the user sent", post({ "sec-fetch-site": "none" })],
    ["a WebSocket of a page of ours", get({ ...upgrade, origin: here })],
  ];
  it.each(cases)("%s", (_what, request) => {
    expect(cookieCredentials(request, here)).toEqual(presented);
  });
});

describe("the cookie does not count for", () => {
  const cases: readonly (readonly [string, Case])[] = [
    ["JSON from another site", post({ origin: "https://evil.example" })],
    ["JSON from a host whose name begins like ours", post({ origin: `${here}.evil.example` })],
    ["JSON from our host over http", post({ origin: "http://countersign.example" })],
    ["JSON from our host on another port", post({ origin: `${here}:8443` })],
    ["JSON from a sandboxed frame", post({ origin: "null" })],
    [
      "JSON from another site that says it is ours otherwise",
      post({ origin: "https://evil.example", "sec-fetch-site": "same-origin" }),
    ],
    ["JSON from a sibling", post({ "sec-fetch-site": "same-site" })],
    ["JSON from another site, by the fetch metadata", post({ "sec-fetch-site": "cross-site" })],
    ["JSON from nobody knows where", post({})],
    ["a form, even of ours", post({ origin: here, "content-type": "application/x-www-form-urlencoded" })],
    ["plain text that looks like JSON", post({ origin: here, "content-type": "text/plain" })],
    ["an upload", post({ origin: here, "content-type": "multipart/form-data; boundary=application/json" })],
    ["a query in an address", get({ origin: here, "sec-fetch-site": "same-origin" })],
    ["another method", { method: "PUT", headers: { origin: here, "content-type": json, cookie } }],
    ["a WebSocket of another site", get({ ...upgrade, origin: "https://evil.example" })],
    ["a WebSocket of nobody knows where", get({ ...upgrade, "sec-fetch-site": "same-origin" })],
    ["a request without it", { method: "POST", headers: { "content-type": json, origin: here } }],
    ["two of them", post({ origin: here, cookie: `${cookie}; __Host-countersign=d.e.f` })],
    ["an empty one", post({ origin: here, cookie: "__Host-countersign=" })],
    ["the name it has on plain http", post({ origin: here, cookie: "countersign=a.b.c" })],
  ];
  it.each(cases)("%s", (_what, request) => {
    expect(cookieCredentials(request, here)).toBeUndefined();
  });

  it("anything on an address that is neither https nor this machine", () => {
    const there = "http://countersign.example";
    const request = { method: "POST", headers: { "content-type": json, origin: there, cookie: "countersign=a.b.c" } };
    expect(cookieCredentials(request, there)).toBeUndefined();
    expect(sessionCookie(request, there)).toBeUndefined();
  });
});

describe("the cookie is read", () => {
  it("among others, on a loopback address without its prefix", () => {
    const headers = { cookie: "theme=dark; countersign=a.b.c ;x" };
    expect(sessionCookie({ headers }, "http://127.0.0.1:4000")).toEqual(presented);
    expect(sessionCookie({ headers }, "https://127.0.0.1:4000")).toBeUndefined();
  });
});
