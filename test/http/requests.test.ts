import { createHash } from "node:crypto";
import { request } from "node:http";
import { describe, expect, it } from "vitest";
import { serveApi } from "./served-api.ts";

const { api } = serveApi();

async function answerTo(body: string | Uint8Array, headers: Record<string, string> = {}) {
  const response = await api.post(body, headers);
  const text = await response.text();
  const { errors } = (text === "" ? {} : JSON.parse(text)) as {
    errors?: { message: string; extensions: { code: string } }[];
  };
  return { status: response.status, code: errors?.[0]?.extensions.code, message: errors?.[0]?.message };
}

describe("a request", () => {
  it.each([
    ["malformed JSON", '{"query":"{__typename}"'],
    ["a duplicate member", '{"query":"{__typename}","query":"{viewer{id}}"}'],
    ["a number that would change", '{"query":"{__typename}","variables":{"n":9007199254740993}}'],
    ["a lone surrogate", '{"query":"{__typename}","variables":{"s":"\\ud800"}}'],
    ["U+0000", '{"query":"{__typename}","variables":{"s":"\\u0000"}}'],
    ["10,000 levels", `{"query":"{__typename}","variables":{"a":${"[".repeat(10_000)}${"]".repeat(10_000)}}}`],
    ["a batch", '[{"query":"{__typename}"}]'],
    ["an unknown member", '{"query":"{__typename}","frobnicate":1}'],
    ["bytes that are no UTF-8", new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d])],
    ["null", "null"],
  ])("with %s gets 400 BAD_USER_INPUT", async (_, body) => {
    expect(await answerTo(body)).toMatchObject({
      status: 400,
      code: "BAD_USER_INPUT",
      message: expect.stringMatching(/./),
    });
  });

  it("with a Content-Digest is executed when the digest is that of the body, and gets 400 otherwise", async () => {
    const body = '{"query":"{__typename}"}';
    const digest = (of: string) => `sha-256=:${createHash("sha256").update(of).digest("base64")}:`;
    expect(await answerTo(body, { "content-digest": digest(body) })).toMatchObject({ status: 200 });
    for (const other of [digest(`${body} `), "sha-256=:AAAA:", "md5=:AAAA:", "sha-256", ""]) {
      expect(await answerTo(body, { "content-digest": other })).toMatchObject({ status: 400, code: "BAD_USER_INPUT" });
    }
  });

  it("of 10 MB gets 413, and the server continues", async () => {
    const body = JSON.stringify({ query: "{__typename}", variables: { a: "x".repeat(10_000_000) } });
    expect(await answerTo(body)).toMatchObject({ status: 413, code: "BAD_USER_INPUT" });
    expect((await api.gql("{__typename}")).status).toBe(200);
  });

  it("of 10 MB in chunks of unknown number gets 413", async () => {
    const status = await new Promise((resolve, reject) => {
      const sent = request(api.url, { method: "POST", headers: { "content-type": "application/json" } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on("error", reject);
      for (let chunk = 0; chunk < 100; chunk++) sent.write("x".repeat(100_000));
      sent.end();
    });
    expect(status).toBe(413);
  });

  it.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/json; charset=utf-16",
  ])("of type %s gets 415", async (contentType) => {
    expect((await answerTo('{"query":"{__typename}"}', { "content-type": contentType })).status).toBe(415);
  });

  it("that mutates by GET is refused", async () => {
    const url = `${api.url}?query=${encodeURIComponent("mutation{endSession(input:{}){userErrors{code}}}")}`;
    const response = await fetch(url, { headers: { authorization: `Bearer ${await api.token("agent")}` } });
    expect(response.status).toBe(405);
  });

  it("from another origin gets no permission to read the response", async () => {
    const response = await api.post('{"query":"{__typename}"}', { origin: "https://evil.example" });
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
  });

  it("to another path gets 404", async () => {
    expect((await fetch(new URL("/health", api.url))).status).toBe(404);
  });

  it("may have a W3C trace id, which the response and the log contain", async () => {
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const response = await api.post('{"query":"{__typename}"}', { traceparent: `00-${traceId}-00f067aa0ba902b7-01` });
    expect(response.headers.get("x-trace-id")).toBe(traceId);
  });
});

describe("a token", () => {
  const viewer = '{"query":"{viewer{id}}"}';

  it("is required by every field", async () => {
    const response = await api.post(viewer);
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toMatch(/^Bearer/);
    expect(await response.json()).toMatchObject({ data: null, errors: [{ extensions: { code: "UNAUTHENTICATED" } }] });
  });

  it.each(["Bearer not.a.token", "Basic YTpi", "Bearer", "bearer a b"])("%s is refused", async (authorization) => {
    expect(await answerTo(viewer, { authorization })).toMatchObject({ status: 401, code: "UNAUTHENTICATED" });
  });

  it("that has expired is refused", async () => {
    const authorization = `Bearer ${await api.token("approver", { ttl: -1 })}`;
    expect(await answerTo(viewer, { authorization })).toMatchObject({ status: 401, code: "UNAUTHENTICATED" });
  });

  it("sent twice is refused, even when both are the same", async () => {
    const authorization = `Bearer ${await api.token("approver")}`;
    const status = await new Promise((resolve, reject) => {
      const headers = [
        "host",
        "x",
        "content-type",
        "application/json",
        "authorization",
        authorization,
        "Authorization",
        authorization,
      ];
      const sent = request(api.url, { method: "POST", headers }, (response) => resolve(response.resume().statusCode));
      sent.on("error", reject);
      sent.end(viewer);
    });
    expect(status).toBe(401);
  });

  it("opens the schema", async () => {
    const query = "{__schema{queryType{name}}}";
    const anonymous = await api.gql(query);
    expect(anonymous).toMatchObject({ status: 401, errors: [{ extensions: { code: "UNAUTHENTICATED" } }] });
    expect((await api.gql('{__type(name:"Action"){fields{name}}}')).errors).toBeDefined();
    const known = await api.gql(query, {}, { as: "agent" });
    expect(known.data).toEqual({ __schema: { queryType: { name: "Query" } } });
    // Whoever asked first, the verdict is the caller's own.
    expect((await api.gql(query)).errors).toBeDefined();
  });
});

describe("the log", () => {
  it("has a line for a request, and never a token", async () => {
    const token = await api.token("auditor");
    await api.gql("query Whoami{viewer{id}}", {}, { token });
    await expect.poll(() => api.logged.find((line) => line.includes('"name":"Whoami"'))).toBeDefined();
    const line = JSON.parse(api.logged.find((text) => text.includes('"name":"Whoami"')) ?? "{}");
    expect(line).toMatchObject({
      method: "POST",
      status: 200,
      operation: "query",
      principal: "auditor",
      organization: "acme",
    });
    expect(api.logged.join("")).not.toContain(token);
  });
});

describe("a Host header", () => {
  const statusOf = (headers: Record<string, string>, method = "POST") =>
    new Promise<number | undefined>((resolve, reject) => {
      const sent = request(api.url, { method, headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on("upgrade", (response) => resolve(response.statusCode)).on("error", reject);
      sent.end();
    });
  const UPGRADE = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
  };

  it.each(["1.2.3.4.5.6", "127.0.0.1:99999", "[::1", "a b", "x/y", "u@x", "x?y", "x#y", "%zz", "[x]", "\\x", ":80x"])(
    "of %j gets 400, whatever the method",
    async (host) => {
      for (const method of ["POST", "GET", "HEAD", "OPTIONS"]) expect(await statusOf({ host }, method)).toBe(400);
      expect(await statusOf({ host, ...UPGRADE }, "GET")).toBe(400);
    },
  );

  it.each(["x", "example.com:443", "[::1]:4000", "127.0.0.1"])("of %j is accepted", async (host) => {
    expect(await statusOf({ host, ...UPGRADE, "sec-websocket-protocol": "graphql-transport-ws" }, "GET")).toBe(101);
    expect(await statusOf({ host, "content-type": "text/plain" })).toBe(415);
  });
});
