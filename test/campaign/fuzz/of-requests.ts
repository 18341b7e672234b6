import { gzipSync } from "node:zlib";
import type { Choices } from "./choices.ts";
import { exchange } from "./connection.ts";
import { operationOf } from "./operations.ts";
import { CALLERS, type Target, type World } from "./target.ts";
import { damaged, textOf } from "./values.ts";

const METHODS = [
  "POST",
  "POST",
  "POST",
  "GET",
  "GET",
  "HEAD",
  "OPTIONS",
  "PUT",
  "DELETE",
  "PATCH",
  "TRACE",
  "CONNECT",
  "get",
  "X Y",
];
const PATHS = [
  "/graphql",
  "/graphql",
  "/graphql",
  "/",
  "/livez",
  "/readyz",
  "/metrics",
  "/auth/login",
  "/auth/callback?code=x&state=y",
  "/auth/logout",
  "/.well-known/jwks.json",
  "/graphql/../x",
  "//graphql",
  "/graphql?query={viewer{id}}",
  "/graphql?query=%ff",
  "*",
  "http://x/graphql",
];
const TYPES = [
  "application/json",
  "application/json",
  "application/json; charset=utf-16",
  "text/plain",
  "multipart/form-data; boundary=x",
  "application/graphql",
  "application/x-www-form-urlencoded",
  "",
  'a/b;c="',
  "application/json, text/html",
];
const ENCODINGS = ["gzip", "br", "deflate", "identity", "x", "gzip, gzip"];
const OTHER_HEADERS = [
  "accept",
  "origin",
  "cookie",
  "host",
  "content-encoding",
  "transfer-encoding",
  "content-length",
  "expect",
  "upgrade",
  "connection",
  "x-forwarded-for",
  "forwarded",
  "traceparent",
  "baggage",
  "signature",
  "signature-input",
  "content-digest",
  "dpop",
  "if-none-match",
  "range",
  "last-event-id",
  "x-countersign-client",
];
const CALM = 300;

const headerText = (choices: Choices) =>
  Buffer.from(textOf(choices).slice(0, 9_000))
    .toString("latin1")
    .replace(/[\r\n]/g, " ");

/** Requests of HTTP with headers, bodies and lengths that do not fit each other. */
export function requests(world: World): Target {
  return {
    name: "requests",
    async try(choices) {
      const as = choices.pick(CALLERS);
      const operation = operationOf({ choices, known: world.known });
      const text = choices.oneIn(4) ? damaged(choices, JSON.stringify(operation)) : JSON.stringify(operation);
      world.sent.addText(text);
      const body = choices.oneIn(8) ? gzipSync(text) : Buffer.from(text);
      const lines = [
        `${choices.pick(METHODS)} ${choices.pick(PATHS)} HTTP/${choices.oneIn(12) ? choices.pick(["1.0", "2.0", "0.9", "x"]) : "1.1"}`,
      ];
      lines.push(`Host: ${new URL(world.app.url).host}`, `Content-Type: ${choices.pick(TYPES)}`);
      if (as !== undefined) lines.push(`Authorization: Bearer ${await world.app.token(as)}`);
      if (!choices.oneIn(8))
        lines.push(`Content-Length: ${body.length + (choices.oneIn(8) ? choices.pick([-1, 1, 10_000_000_000]) : 0)}`);
      else lines.push("Transfer-Encoding: chunked");
      if (choices.oneIn(8)) lines.push(`Content-Encoding: ${choices.pick(ENCODINGS)}`);
      for (const name of choices.some(3, () => choices.pick(OTHER_HEADERS)))
        lines.push(`${name}: ${headerText(choices)}`);
      const head = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
      const pieces = choices.oneIn(12)
        ? [Buffer.from(damaged(choices, head.toString("latin1")), "latin1"), body]
        : [head, body];
      const received = await exchange(world, pieces, CALM);
      const status = /^HTTP\/1\.1 (\d{3})/.exec(received)?.[1];
      const outcome = `request ${status ?? "closed"}`;
      world.outcomes.set(outcome, (world.outcomes.get(outcome) ?? 0) + 1);
      const unavailable = status === "503" && received.includes('"LEDGER_UNAVAILABLE"');
      const bad = (Number(status) >= 500 && !unavailable) || received.includes("INTERNAL_SERVER_ERROR");
      return bad
        ? `${JSON.stringify(pieces.map(String)).slice(0, 4000)}\n\n${text.slice(0, 500)}\n\n${received.slice(0, 3_000)}`
        : undefined;
    },
  };
}
