import { type Attributes, type Context, type Span, type SpanOptions, type Tracer, trace } from "@opentelemetry/api";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { connect } from "./client.ts";
import { type Api, startApi } from "./harness.ts";

interface Seen {
  readonly name: string;
  readonly attributes: Attributes;
  ended: boolean;
}

const spans: Seen[] = [];

/** The least an SDK does: it hears of each span. */
const tracer: Tracer = {
  startSpan(name: string, { attributes = {} }: SpanOptions = {}) {
    const seen: Seen = { name, attributes, ended: false };
    spans.push(seen);
    const silent = trace.wrapSpanContext({ traceId: "1".repeat(32), spanId: "1".repeat(16), traceFlags: 1 });
    silent.end = () => {
      seen.ended = true;
    };
    return silent;
  },
  startActiveSpan<F extends (span: Span) => unknown>(
    name: string,
    ...rest: readonly [F] | readonly [SpanOptions, F] | readonly [SpanOptions, Context, F]
  ): ReturnType<F> {
    const work = rest.at(-1) as F;
    const [options] = rest.length === 1 ? [{}] : (rest as readonly [SpanOptions, ...unknown[]]);
    return work(this.startSpan(name, options)) as ReturnType<F>;
  },
};

let database: TestDatabase;
let api: Api;

beforeAll(async () => {
  trace.setGlobalTracerProvider({ getTracer: () => tracer });
  database = await createTestDatabase();
  api = await startApi(database.appUrl);
});

beforeEach(() => {
  spans.length = 0;
});

afterAll(async () => {
  await api?.close();
  await database?.drop();
  trace.disable();
});

const operations = () => spans.filter(({ attributes }) => "graphql.operation.type" in attributes);

describe("an operation has a span of its own", () => {
  it("named by its type, with the name it was given as an attribute", async () => {
    await api.gql("query Me{viewer{id}}", {}, { as: "agent" });
    await api.gql("{viewer{id}}", {}, { as: "agent" });
    await api.gql('mutation Stop{endSession(input:{sessionId:"none"}){userErrors{code}}}', {}, { as: "agent" });
    expect(operations()).toEqual([
      {
        name: "query",
        attributes: { "graphql.operation.type": "query", "graphql.operation.name": "Me" },
        ended: true,
      },
      { name: "query", attributes: { "graphql.operation.type": "query" }, ended: true },
      {
        name: "mutation",
        attributes: { "graphql.operation.type": "mutation", "graphql.operation.name": "Stop" },
        ended: true,
      },
    ]);
  });

  it("over a connection too, which ends when events can come", async () => {
    const client = await connect(api.wsUrl, await api.token("auditor"));
    const query = 'subscription Follow{auditEntries(after:"0"){cursor}}';
    client.send({ type: "subscribe", id: "1", payload: { query } });
    await client.next(({ type }) => type === "next");
    expect(operations()).toEqual([
      {
        name: "subscription",
        attributes: { "graphql.operation.type": "subscription", "graphql.operation.name": "Follow" },
        ended: true,
      },
    ]);
    client.socket.close();
    await client.closed;
  });

  it("and none when it is refused before it begins", async () => {
    await api.gql("{nonsense}", {}, { as: "agent" });
    expect(operations()).toEqual([]);
  });
});
