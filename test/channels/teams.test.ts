import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DemoName } from "../../src/domain/identity/demo-principals.ts";
import { putInForce } from "../graphql/policy-documents.ts";
import { type Acted, act, propose } from "../graphql/steps.ts";
import type { Api } from "../http/harness.ts";
import { serveApis } from "../http/served-api.ts";
import { type Card, cardText } from "../support/teams/cards.ts";
import type { Person, Post } from "../support/teams/connector.ts";
import { TOKEN_ISSUER } from "../support/teams/identity.ts";
import { startTeams, type Teams } from "../support/teams/teams.ts";
import { waitUntil } from "../support/wait.ts";
import { configure, noticesOf } from "./steps.ts";

/** A policy by which the channel is shown arguments, but of tools that handle payments. */
const showingArguments = (needed: number) => `
policy: 1
catalog:
  platforms:
    reservations: { region: eu }
  tools:
    - { platform: reservations, name: book_reservation, effect: WRITE }
    - { platform: reservations, name: change_card, effect: WRITE, data: [payment] }
channels:
  - { name: approvals, arguments: true, except: [payment] }
rules:
  - { id: writes, when: 'tool.effect == "WRITE"', require: [{ group: approvers, needed: ${needed} }], reason: Writes need some. }
cases:
  - { name: a write, given: { platform: reservations, tool: change_card }, expect: { outcome: REQUIRE, rules: [writes] } }
`;

const { start, started } = serveApis();
let teams: Teams;
let api: Api;

beforeAll(async () => {
  teams = await startTeams();
  const { openIdUrl, loginUrl } = teams.identity;
  const endpoints = { openIdUrl, loginUrl, tokenIssuer: TOKEN_ISSUER, serviceHosts: ["127.0.0.1"] };
  api = await start({ channels: { interval: 0.1 }, teams: endpoints });
  const { tenantId, appId, appPassword, conversation: conversationId, connector } = teams;
  const bot = { mode: "BOT", tenantId, appId, conversationId, serviceUrl: connector.serviceUrl, appPassword };
  const configured = { channel: { name: "approvals" }, userErrors: [] };
  expect(await configure(api, { name: "approvals", teams: bot })).toEqual(configured);
  const { data } = await api.gql<{ channels: { path: string }[] }>("{channels{path}}", {}, { as: "auditor" });
  teams.botUrl = api.url.replace("/graphql", "") + data.channels[0]?.path;
});
afterAll(() => teams?.close());

const proposed = () => propose(api).then(({ action }) => action);
type Action = Awaited<ReturnType<typeof proposed>>;

/** The messages about an action, oldest first. */
const postsAbout = ({ digest }: Action) =>
  teams.posts().filter(({ versions: [first] }) => JSON.stringify(first).includes(digest));

async function postOf(action: Action): Promise<Post> {
  await waitUntil(() => postsAbout(action).length > 0);
  return postsAbout(action)[0] as Post;
}

async function becomes(post: Post, text: string): Promise<Card> {
  await waitUntil(() => cardText(teams.shown(post)).includes(text));
  return teams.shown(post);
}

async function link(person: Person, as: DemoName): Promise<unknown> {
  const { data } = await api.gql<{ startAccountLink: { code: string } }>(
    `mutation{startAccountLink(input:{channel:"approvals"}){code}}`,
    {},
    { as },
  );
  await teams.say(person, `link ${data.startAccountLink.code}`);
  return teams.posts(`a:${person.id}`).at(-1)?.versions[0]?.text;
}

async function decisionsOf({ id }: Action): Promise<unknown> {
  const query = "query($id:ID!){action(id:$id){status decisions{verdict approver{id} channel note assurance}}}";
  const { data, errors } = await api.gql<{ action: unknown }>(query, { id }, { as: "auditor" });
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data.action;
}

describe("a button in Teams", () => {
  it("leads from the linked person's approval to the grant and the execution, and the message says so", async () => {
    const action = await proposed();
    const post = await postOf(action);
    expect(cardText(teams.shown(post))).toContain("Tool: book_reservation");
    expect(cardText(teams.shown(post))).not.toContain("mia");
    const unlinked = await teams.press(teams.alice, post, "Approve");
    expect(unlinked.body?.value).toContain("link CODE");
    expect(await link(teams.alice, "approver")).toBe("Your Teams account is linked to approver");
    const pressed = await teams.press(teams.alice, post, "Approve", { note: "seen" });
    expect(pressed.card && cardText(pressed.card)).toContain("Approved: approver, in Teams");
    expect(await decisionsOf(action)).toEqual({
      status: "APPROVED",
      decisions: [
        { verdict: "APPROVE", approver: { id: "approver" }, channel: "TEAMS", note: "seen", assurance: "CHAT" },
      ],
    });
    const claim = { actionId: action.id };
    const { grant } = await act<Acted>(api, "claimGrant", claim, "agent", "grant{token expiresAt} userErrors{code}");
    await act(api, "redeemGrant", { token: grant?.token, digest: action.digest }, "agent");
    await act(api, "completeAction", { actionId: action.id, outcome: "SUCCEEDED" }, "agent");
    const card = await becomes(post, "Approved and executed");
    expect(card.actions?.map(({ title }) => title)).toEqual(["Open in Countersign"]);
    await waitUntil(async () => (await noticesOf(api, action.id))[0]?.status === "SENT");
    expect(await noticesOf(api, action.id)).toMatchObject([
      { channel: "TEAMS", name: "approvals", to: teams.conversation },
    ]);
  });

  it("denies with its note, and not without one", async () => {
    const action = await proposed();
    const post = await postOf(action);
    expect((await teams.press(teams.alice, post, "Deny")).body?.value).toContain("a denial needs a note");
    expect(await decisionsOf(action)).toMatchObject({ status: "PENDING", decisions: [] });
    await teams.press(teams.alice, post, "Deny", { note: "wrong guest" });
    expect(await decisionsOf(action)).toMatchObject({ status: "DENIED", decisions: [{ note: "wrong guest" }] });
    await becomes(post, "Denied: approver, in Teams");
  });

  it("decides once, however often it is pressed, and says who decided elsewhere first", async () => {
    const action = await proposed();
    const post = await postOf(action);
    const answers = await Promise.all([1, 2, 3].map(() => teams.press(teams.alice, post, "Approve")));
    for (const { card } of answers) expect(card && cardText(card)).toContain("Approved: approver, in Teams");
    expect(await decisionsOf(action)).toMatchObject({ decisions: [{ channel: "TEAMS" }] });

    const other = await proposed();
    const second = await postOf(other);
    await act(api, "approveAction", { actionId: other.id, digest: other.digest }, "approver2");
    // The card that was pressed is the one from before.
    const before = structuredClone(second);
    const shown = await becomes(second, "Decided elsewhere: Approved");
    expect(cardText(shown)).toContain("Approved: approver2, by the API");
    expect(shown.actions?.map(({ type }) => type)).toEqual(["Action.OpenUrl"]);
    const late = await teams.press(teams.alice, { ...before, versions: before.versions.slice(0, 1) }, "Approve");
    expect(late.card && cardText(late.card)).toContain("Not recorded:");
    expect(late.card && cardText(late.card)).toContain("Decided elsewhere: Approved");
    expect(await decisionsOf(other)).toMatchObject({
      status: "APPROVED",
      decisions: [{ approver: { id: "approver2" } }],
    });
  });

  it("records nothing for who asked for the action, for guests, for forged requests or a changed digest", async () => {
    const action = await proposed();
    const post = await postOf(action);
    expect(await link(teams.bob, "member")).toBe("Your Teams account is linked to member");
    const own = await teams.press(teams.bob, post, "Approve");
    expect(own.card && cardText(own.card)).toContain("Not recorded:");
    expect((await teams.press(teams.guest, post, "Approve")).body).toMatchObject({ statusCode: 400 });
    expect(await link(teams.guest, "approver2")).toContain("no guests");
    const stranger = { ...teams.alice, tenantId: "0d1fbb2e-5a3c-4f6e-8f0f-0a3a6f1f2c11" };
    expect(await teams.press(stranger, post, "Approve")).toMatchObject({ status: 403 });
    const claims = { aud: "another-app" };
    expect(await teams.press(teams.alice, post, "Approve", {}, {}, { claims })).toMatchObject({ status: 401 });
    const changed = await teams.press(teams.alice, post, "Approve", { digest: `sha256:${"0".repeat(64)}` });
    expect(changed.card && cardText(changed.card)).toContain("Not recorded:");
    expect(await decisionsOf(action)).toMatchObject({ status: "PENDING", decisions: [] });
  });

  it("is refreshed for who looks at it, which is when the notice was opened", async () => {
    const action = await proposed();
    const post = await postOf(action);
    await waitUntil(async () => (await noticesOf(api, action.id))[0]?.status === "SENT");
    expect(await noticesOf(api, action.id)).toMatchObject([{ firstOpenedAt: null }]);
    const looked = await teams.look(teams.alice, post);
    expect(looked.card && cardText(looked.card)).toContain("Approval requested");
    expect(await noticesOf(api, action.id)).toMatchObject([{ firstOpenedAt: expect.any(String) }]);
  });

  it("comes to nothing after the deadline, and says so", async () => {
    const hasty = await start({ requirements: [{ id: "soon", group: "approvers", needed: 1, ttl: 1 }] });
    const { action } = await propose(hasty);
    const post = await postOf(action);
    await waitUntil(() => Date.now() > Date.parse(action.expiresAt ?? ""));
    const late = await teams.press(teams.alice, post, "Approve");
    expect(late.card && cardText(late.card)).toMatch(/^Not recorded: .*\n/);
    expect(await decisionsOf(action)).toMatchObject({ decisions: [] });
  });

  it("is under what would run where the policy lets the channel have it, and under how far the approvals are", async () => {
    await putInForce(api, showingArguments(2));
    const asked = async (tool: string, name: string) => (await propose(api, { tool, arguments: { name } })).action;
    const action = await asked("book_reservation", "[Ada](https://evil.example) {{DATE(2017-02-14T06:08:39Z)}}");
    const post = await postOf(action);
    const { body } = teams.shown(post);
    expect(cardText(teams.shown(post))).toContain("[Ada](https://evil.example)");
    expect(body.filter(({ type }) => type === "TextBlock").map(({ text }) => text)).toEqual(["Approval requested"]);
    expect(JSON.stringify(post.versions[0])).not.toContain("{{DATE");
    const hidden = await postOf(await asked("change_card", "Bob"));
    expect(JSON.stringify(hidden.versions[0])).not.toContain("Bob");

    await act(api, "approveAction", { actionId: action.id, digest: action.digest }, "approver2");
    const one = await becomes(post, "Approvals: 1 of 2 by approvers");
    expect(cardText(one)).toMatch(/^Approval requested\n/);
    const pressed = await teams.press(teams.alice, post, "Approve");
    expect(pressed.card && cardText(pressed.card)).toMatch(/^Approved\n/);
    await becomes(post, "Approvals: 2 of 2 by approvers");
    await putInForce(api, showingArguments(1));
  });

  it("counts for nobody once the person is suspended", async () => {
    const administer = (mutation: string) =>
      api.gql(
        `mutation{${mutation}(input:{principalId:"approver",reason:"leave"}){userErrors{code}}}`,
        {},
        { as: "admin" },
      );
    const action = await proposed();
    const post = await postOf(action);
    await administer("suspendPrincipal");
    const pressed = await teams.press(teams.alice, post, "Approve");
    expect(pressed.card && cardText(pressed.card)).toContain("Not recorded:");
    expect(await decisionsOf(action)).toMatchObject({ status: "PENDING", decisions: [] });
  });
});

describe("messages to Teams", () => {
  it("are sent once it is back, and at least once when it ends the connection after it accepted", async () => {
    await teams.connector.server.stop();
    const actions = [await proposed(), await proposed()] as const;
    await waitUntil(() => api.logged.some((line) => line.includes("a notice could not be sent")));
    await teams.connector.server.start();
    for (const action of actions) await postOf(action);
    // As one would expect of a queue.
    const order = teams.posts().filter(({ id }) => actions.some((action) => postsAbout(action)[0]?.id === id));
    expect(order.map(({ id }) => id)).toEqual(actions.map((action) => postsAbout(action)[0]?.id));

    teams.connector.plans.push("drop", { status: 429, retryAfter: "0" });
    const dropped = await proposed();
    await waitUntil(() => postsAbout(dropped).length === 2);
    await act(api, "approveAction", { actionId: dropped.id, digest: dropped.digest }, "approver2");
    const [older, newer] = postsAbout(dropped) as [Post, Post];
    await becomes(newer, "Decided elsewhere: Approved");
    // Nobody knows of the older one, which says the same once somebody looks at it.
    const looked = await teams.look(teams.bob, older);
    expect(looked.card && cardText(looked.card)).toContain("Decided elsewhere: Approved");
  });

  it("lead to the action by a workflow, where nobody decides", async () => {
    const workflow = { mode: "WORKFLOW", workflowUrl: teams.connector.workflowUrl };
    expect(await configure(api, { name: "workflow", teams: workflow })).toMatchObject({ userErrors: [] });
    const action = await proposed();
    const found = () => teams.connector.workflowCards.filter((card) => JSON.stringify(card).includes(action.uuid));
    await waitUntil(() => found().length === 1);
    expect(found()[0]?.actions?.map(({ type }) => type)).toEqual(["Action.OpenUrl"]);
    await waitUntil(async () => (await noticesOf(api, action.id)).every(({ status }) => status === "SENT"));
  });

  it("are not configured for a service that the operator does not permit, nor without the secret", async () => {
    const { tenantId, appId, conversation: conversationId, appPassword } = teams;
    const bot = { mode: "BOT", tenantId, appId, conversationId, serviceUrl: "https://smba.example/", appPassword };
    expect(await configure(api, { name: "elsewhere", teams: bot })).toMatchObject({
      userErrors: [{ code: "INVALID_INPUT" }],
    });
    const bare = { ...bot, serviceUrl: teams.connector.serviceUrl, appPassword: undefined };
    expect(await configure(api, { name: "elsewhere", teams: bare })).toMatchObject({
      userErrors: [{ code: "INVALID_INPUT", message: "mode BOT needs appPassword" }],
    });
  });

  it("leave no secret in the log", () => {
    const logged = started.flatMap((one) => one.logged).join("\n");
    for (const secret of [teams.appPassword, "s3cr3t-signature"]) expect(logged).not.toContain(secret);
  });
});
