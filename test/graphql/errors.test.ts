import { GraphQLError } from "graphql";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DomainError } from "../../src/errors.ts";
import { publicError } from "../../src/graphql/base/errors.ts";
import { LedgerUnavailableError } from "../../src/ledger/errors.ts";
import { type Api, startApi } from "../http/harness.ts";
import { createTestDatabase, type TestDatabase, withClient, withDatabase } from "../support/postgres.ts";
import { startProxy } from "../support/proxy.ts";
import { propose, WRITE } from "./steps.ts";

const located = (cause: Error) => new GraphQLError(cause.message, { originalError: cause, path: ["proposeAction"] });

describe("an error for a client", () => {
  it("hides what is ours, and names where the log has it", () => {
    const faults: unknown[] = [];
    const cause = new Error("password is hunter2");
    const error = publicError(located(cause), "trace", (fault) => faults.push(fault));
    expect(error.toJSON()).toEqual({
      message: "Something went wrong in the server.",
      path: ["proposeAction"],
      extensions: { code: "INTERNAL_SERVER_ERROR", traceId: "trace" },
    });
    expect(faults).toEqual([cause]);
  });

  it("hides the codes of a layer that are not for clients", () => {
    const error = publicError(located(new DomainError("UNREADABLE_ENTRY", "inside")), "trace", () => {});
    expect(error.extensions).toEqual({ code: "INTERNAL_SERVER_ERROR", traceId: "trace" });
  });

  it("hides a null where none may be", () => {
    const error = publicError(
      new GraphQLError("Cannot return null for non-nullable field A.b.", { path: ["a", "b"] }),
      "t",
      () => {},
    );
    expect(error.extensions).toMatchObject({ code: "INTERNAL_SERVER_ERROR" });
  });

  it.each(["NOTHING", "UNKNOWN"] as const)("has the time to retry after, and that %s happened", (outcome) => {
    const cause = new LedgerUnavailableError("the queue is full", 2.5, undefined, outcome);
    const error = publicError(located(cause), "trace", () => {});
    expect(error.extensions).toEqual({
      code: "LEDGER_UNAVAILABLE",
      retryAfterSeconds: 3,
      outcome,
      http: { status: 503, spec: true, headers: { "retry-after": "3" } },
    });
  });
});

describe("over the API", () => {
  let database: TestDatabase;
  let api: Api;
  let broken: Api;

  beforeAll(async () => {
    database = await createTestDatabase();
    api = await startApi(database.appUrl);
    broken = await startApi(database.appUrl, {
      services: (services) => ({ ...services, verify: () => Promise.reject(new Error("hunter2")) }),
    });
  });

  afterAll(async () => {
    await api?.close();
    await broken?.close();
    await database?.drop();
  });

  it("a fault is masked, and its trace id is in the log with the cause", async () => {
    const { errors } = await broken.gql("{verifyLedger{verdict}}", {}, { as: "auditor" });
    const { code, traceId = "none" } = errors?.[0]?.extensions ?? {};
    expect(code).toBe("INTERNAL_SERVER_ERROR");
    expect(JSON.stringify(errors)).not.toContain("hunter2");
    expect(broken.logged.filter((line) => line.includes(traceId)).join("")).toContain("hunter2");
  });

  it.each([
    ["approveAction", { actionId: "x", digest: "no-hash" }, "digest", "Hash is `sha256:` followed by"],
    [
      "proposeAction",
      { ...WRITE, arguments: "none", idempotencyKey: "no-uuid" },
      "idempotencyKey",
      "UUID is 32 hex digits",
    ],
  ])(
    "a bad value for %s names its variable and member, and as a literal its place",
    async (field, input, member, message) => {
      const type = `${field.replace(/^./, (letter) => letter.toUpperCase())}Input`;
      const document = `mutation($input:${type}!){${field}(input:$input){userErrors{code}}}`;
      const byVariable = await api.gql(document, { input }, { as: "approver" });
      expect(byVariable.errors?.[0]?.message).toMatch(new RegExp(`"\\$input" .*"input\\.${member}"; ${message}`));
      const members = Object.entries(input).map(([name, text]) => `${name}:${JSON.stringify(text)}`);
      const literal = `mutation{\n ${field}(input:{${members.join(",")}}){userErrors{code}}}`;
      const byLiteral = await api.gql(literal, {}, { as: "approver" });
      const column = (literal.split("\n")[1] ?? "").indexOf('"no-') + 1;
      expect(byLiteral.errors).toContainEqual(expect.objectContaining({ locations: [{ line: 2, column }] }));
      expect(byLiteral.errors?.map((error) => error.message).join()).toContain(message);
      for (const { errors } of [byVariable, byLiteral]) expect(errors?.[0]?.extensions?.code).toBe("BAD_USER_INPUT");
    },
  );

  it("an input that lacks a member names its variable", async () => {
    const document = "mutation($input:ProposeActionInput!){proposeAction(input:$input){userErrors{code}}}";
    const { errors } = await api.gql(document, { input: { platform: "crm" } }, { as: "agent" });
    expect(errors?.[0]?.message).toMatch(/^Variable "\$input" /);
    expect(errors?.[0]?.extensions?.code).toBe("BAD_USER_INPUT");
  });

  it("a search that takes too long is QUERY_TOO_COMPLEX, through either connection, and says what to do", async () => {
    const hurried = await startApi(database.appUrl, { statementTimeoutMs: 300 });
    await propose(hurried);
    await hurried.gql("mutation{startSession(input:{}){userErrors{code}}}", {}, { as: "admin" });
    await withClient(database.superuserUrl, async (client) => {
      await client.query("BEGIN; LOCK TABLE oc_audit_payload IN ACCESS EXCLUSIVE MODE");
      for (const query of [
        '{auditEntries(filter:{text:"x"}){nodes{seq}}}',
        "{actions{nodes{rendered}}}",
        "{pendingApprovals(onlyDecidable:true){nodes{id}}}",
        "{sessions{nodes{id}}}",
      ]) {
        const { errors } = await hurried.gql(query, {}, { as: "admin" });
        expect(errors?.[0]?.extensions).toEqual({ code: "QUERY_TOO_COMPLEX" });
        expect(errors?.[0]?.message).toContain("Narrow");
      }
    });
    await hurried.close();
  });

  it("the database being away is LEDGER_UNAVAILABLE, to readers and writers alike, with Retry-After", async () => {
    const proxy = await startProxy(database.superuserUrl);
    const away = await startApi(withDatabase(proxy.url, database.name));
    await propose(away);
    await proxy.close();
    const propositions = `mutation($input:ProposeActionInput!){proposeAction(input:$input){userErrors{code}}}`;
    const input = { idempotencyKey: crypto.randomUUID(), arguments: {}, ...WRITE };
    for (const answer of [
      await away.gql(propositions, { input }, { as: "agent" }),
      await away.gql("{actions{nodes{id}}}", {}, { as: "agent" }),
      await away.gql('{auditEntry(seq:"1"){seq}}', {}, { as: "auditor" }),
    ]) {
      expect(answer.errors?.[0]?.extensions).toEqual({
        code: "LEDGER_UNAVAILABLE",
        retryAfterSeconds: expect.any(Number),
        outcome: "NOTHING",
      });
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    }
    await away.close();
  });
});
