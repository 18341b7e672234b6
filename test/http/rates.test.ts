import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { codesOf, connect } from "./client.ts";
import type { Api } from "./harness.ts";
import { serveApi } from "./served-api.ts";

const { api } = serveApi({ rateLimits: { changesPerPrincipal: 10, changesPerPerson: 15, anonymousPerAddress: 3 } });

const PROPOSE = "mutation($input:ProposeActionInput!){proposeAction(input:$input){userErrors{code}}}";
const inputOf = () => ({ idempotencyKey: randomUUID(), platform: "crm", tool: "get_user_details", arguments: {} });
const codes = ({ errors }: Awaited<ReturnType<Api["gql"]>>) => errors?.map(({ extensions }) => extensions.code);

describe("changes", () => {
  it("of one principal are refused beyond its rate, over HTTP and WebSocket, and reads and others are not", async () => {
    const as = { token: await api.token("agent") };
    let answer = await api.gql(PROPOSE, { input: inputOf() }, as);
    let made = 0;
    while (codes(answer) === undefined) {
      made += 1;
      answer = await api.gql(PROPOSE, { input: inputOf() }, as);
    }
    expect([made, answer.status, codes(answer)]).toEqual([100, 429, ["RATE_LIMITED"]]);
    const seconds = Number(answer.headers.get("retry-after"));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(10);
    expect(answer.errors?.[0]?.extensions).toMatchObject({ retryAfterSeconds: seconds });
    const client = await connect(api.wsUrl, as.token);
    client.send({ type: "subscribe", id: "1", payload: { query: PROPOSE, variables: { input: inputOf() } } });
    expect(codesOf(await client.next(({ id }) => id === "1"))).toEqual(["RATE_LIMITED"]);
    client.socket.close();
    expect(codes(await api.gql("{viewer{id}}", {}, as))).toBeUndefined();
    expect(
      codes(await api.gql("mutation{startSession(input:{}){userErrors{code}}}", {}, { as: "member" })),
    ).toBeUndefined();
  });

  it("count each action of a batch, and each field", async () => {
    const token = await api.sign({ sub: "batching", org: "newcomer", kind: "HUMAN", roles: ["member"], groups: [] });
    const batch = (length: number) => ({ input: { actions: Array.from({ length }, inputOf) } });
    const query = "mutation($input:ProposeActionsInput!){proposeActions(input:$input){userErrors{code}}}";
    for (const _ of [1, 2, 3]) expect(codes(await api.gql(query, batch(32), { token }))).toBeUndefined();
    const twice =
      "mutation($input:ProposeActionInput!){a:proposeAction(input:$input){entry{seq}} b:proposeAction(input:$input){entry{seq}}}";
    expect(codes(await api.gql(twice, { input: inputOf() }, { token }))).toBeUndefined();
    expect(codes(await api.gql(query, batch(32), { token }))).toEqual(["RATE_LIMITED"]);
  });

  it("that are refused count for more", async () => {
    const token = await api.sign({ sub: "garbage", org: "another", kind: "HUMAN", roles: ["member"], groups: [] });
    const query = `mutation{redeemGrant(input:{token:"garbage",digest:"sha256:${"0".repeat(64)}"}){userErrors{code}}}`;
    let refused = 0;
    while (codes(await api.gql(query, {}, { token })) === undefined) refused += 1;
    expect(refused).toBe(2);
  });
});

describe("requests without a valid token", () => {
  it("are refused beyond the rate of their address, and those of others at it are not", async () => {
    const statuses: number[] = [];
    for (let at = 0; at < 40; at++) {
      const { status } = await api.gql("{viewer{id}}", {}, at % 2 === 0 ? {} : { token: "garbage" });
      statuses.push(status);
    }
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(5);
    expect((await api.gql("{viewer{id}}", {}, { as: "approver" })).status).toBe(200);
    const limited = await api.post('{"query":"{viewer{id}}"}');
    expect([limited.status, Number(limited.headers.get("retry-after")) > 0]).toEqual([429, true]);
    await expect(connect(api.wsUrl, await api.token("approver"))).resolves.toBeDefined();
  });
});
