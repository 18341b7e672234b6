import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fourEyes, putInForce } from "../graphql/policy-documents.ts";
import { act, propose } from "../graphql/steps.ts";
import { serveApi } from "../http/served-api.ts";
import { waitUntil } from "../support/wait.ts";
import { type MailServer, startMailServer } from "./mail-server.ts";
import { configure, noticesOf, queueOf } from "./steps.ts";

const { api } = serveApi({ channels: { interval: 0.1 } });
let mail: MailServer;
const TO = ["ops@acme.example", "Ann <ann@acme.example>"];
const email = (more: object = {}) => ({
  from: "countersign@acme.example",
  to: ["ops@acme.example", "ann@acme.example"],
  host: "127.0.0.1",
  port: mail.port,
  security: "NONE",
  ...more,
});

beforeAll(async () => {
  mail = await startMailServer();
  expect(await configure(api, { name: "mail", email: email() })).toMatchObject({ userErrors: [] });
});
afterAll(() => mail.close());

const mailsAbout = (uuid: string) => mail.received.filter(({ source }) => source.includes(uuid));

describe("e-mail", () => {
  it("tells of an action that waits, and of the decision, without what would run", async () => {
    const { action } = await propose(api, { arguments: { user_id: "secret person" } });
    await waitUntil(() => mailsAbout(action.uuid).length === 1);
    await act(api, "denyAction", { actionId: action.id, digest: action.digest, note: "No." }, "approver");
    await waitUntil(() => mailsAbout(action.uuid).length === 2);
    const [asked, decided] = mailsAbout(action.uuid);
    expect(asked).toMatchObject({ from: "countersign@acme.example", to: ["ops@acme.example", "ann@acme.example"] });
    for (const { source } of mailsAbout(action.uuid)) {
      expect(source).toMatch(/^Auto-Submitted: auto-generated/im);
      expect(source).toContain(action.digest.slice("sha256:".length, "sha256:".length + 8));
      expect(source).not.toContain("secret person");
      expect(source).not.toContain("No.");
    }
    const idOf = (source = "") => /^Message-ID: (<.*>)/im.exec(source)?.[1];
    expect(decided?.source).toContain(`In-Reply-To: ${idOf(asked?.source)}`);
    expect(decided?.source).toContain("denied");
    expect(await noticesOf(api, action.id)).toMatchObject([
      { channel: "EMAIL", to: "ops@acme.example, ann@acme.example", status: "SENT", firstOpenedAt: null },
    ]);
  });

  it("decides nothing and opens nothing when a program opens every link, with any method", async () => {
    const { action } = await propose(api);
    await waitUntil(() => mailsAbout(action.uuid).length === 1);
    const links = mailsAbout(action.uuid)[0]?.source.match(/https?:\/\/\S+/g) ?? [];
    expect(links).not.toEqual([]);
    for (const link of links) {
      for (const method of ["GET", "HEAD", "POST"]) {
        const { status } = await fetch(link, { method, redirect: "follow" });
        expect(status).toBe(method === "POST" ? 404 : 200);
      }
    }
    const { data } = await api.gql(
      "query($id:ID!){action(id:$id){status decisions{verdict}}}",
      { id: action.id },
      { as: "auditor" },
    );
    expect(data).toEqual({ action: { status: "PENDING", decisions: [] } });
    expect(await noticesOf(api, action.id)).toMatchObject([{ firstOpenedAt: null }]);
    const open = (as: "approver" | "agent" | "outsider") =>
      act<{ userErrors: unknown }>(api, "openNotice", { actionId: action.id, channel: "mail" }, as, "userErrors{code}");
    expect(await open("agent")).toEqual({ userErrors: [{ code: "HUMANS_ONLY" }] });
    expect(await open("outsider")).toEqual({ userErrors: [{ code: "NOT_FOUND" }] });
    expect(await open("approver")).toEqual({ userErrors: [] });
    const [{ firstOpenedAt } = {}] = await noticesOf(api, action.id);
    expect(firstOpenedAt).not.toBeNull();
    await open("approver");
    expect(await noticesOf(api, action.id)).toMatchObject([{ firstOpenedAt }]);
  });

  it("is tried again after a temporary refusal, and not after a final one", async () => {
    mail.refuse(451, 1);
    const { action } = await propose(api);
    await waitUntil(async () => (await noticesOf(api, action.id))[0]?.status === "SENT");
    mail.refuse(550, 1);
    const other = await propose(api);
    await waitUntil(async () => (await noticesOf(api, other.action.id))[0]?.status === "FAILED");
    await waitUntil(async () => {
      const { data } = await api.gql<{ undeliveredNotices: { nodes: readonly { action: { uuid: string } }[] } }>(
        "{undeliveredNotices(givenUp:true){nodes{action{uuid}}}}",
        {},
        { as: "auditor" },
      );
      return data.undeliveredNotices.nodes.some((one) => one.action.uuid === other.action.uuid);
    });
  });

  it("waits for a mail server that refuses the sender, which is the same for every mail", async () => {
    let refuses = true;
    const other = await startMailServer({
      onMailFrom: (_from, _session, done) =>
        done(refuses ? Object.assign(new Error("no such sender"), { responseCode: 550 }) : null),
    });
    try {
      expect(await configure(api, { name: "sends", email: email({ port: other.port }) })).toMatchObject({
        userErrors: [],
      });
      const { action } = await propose(api);
      const noticed = async () => (await noticesOf(api, action.id)).find(({ name }) => name === "sends");
      await waitUntil(async () => ((await queueOf(api, "sends"))?.failures ?? 0) > 0);
      expect((await queueOf(api, "sends"))?.problem).toContain("no such sender");
      expect(await noticed()).toMatchObject({ status: "QUEUED" });
      refuses = false;
      await waitUntil(async () => (await noticed())?.status === "SENT");
      await act(api, "removeChannel", { name: "sends" }, "admin", "userErrors{code}");
    } finally {
      await other.close();
    }
  });

  it("is tried again, however often, where the server does not let this one in", async () => {
    let letsIn = false;
    const other = await startMailServer({
      allowInsecureAuth: true,
      authOptional: false,
      onAuth: (_auth, _session, done) =>
        letsIn ? done(null, { user: "me" }) : done(Object.assign(new Error("no"), { responseCode: 535 })),
    });
    try {
      const settings = email({ port: other.port, user: "me", password: "old" });
      expect(await configure(api, { name: "signs-in", email: settings })).toMatchObject({ userErrors: [] });
      const { action } = await propose(api);
      const noticed = async () => (await noticesOf(api, action.id)).find(({ name }) => name === "signs-in");
      await waitUntil(async () => ((await queueOf(api, "signs-in"))?.failures ?? 0) > 0);
      expect(await noticed()).toMatchObject({ status: "QUEUED" });
      expect(JSON.stringify(api.logged)).not.toContain("old");
      letsIn = true;
      await waitUntil(async () => (await noticed())?.status === "SENT");
      await act(api, "removeChannel", { name: "signs-in" }, "admin", "userErrors{code}");
    } finally {
      await other.close();
    }
  });

  it.each([
    ["a line break in an address", { to: ["ops@acme.example\r\nRCPT TO:<eve@evil.example>"] }, ["email", "to", "0"]],
    ["a name around an address", { to: TO }, ["email", "to", "1"]],
    ["a line break in the sender", { from: "a@acme.example\nBcc: eve@evil.example" }, ["email", "from"]],
    ["no address", { to: [] }, ["email", "to"]],
    ["a host with a port", { host: "mail.acme.example:25" }, ["email", "host"]],
    ["no protection on the way", { host: "mail.acme.example" }, ["email", "security"]],
    ["a user without a password", { user: "me" }, ["email"]],
  ])("is not configured with %s", async (_, more, path) => {
    expect(await configure(api, { name: "bad", email: email(more) })).toMatchObject({
      channel: null,
      userErrors: [{ code: "INVALID_INPUT", path: ["input", ...path] }],
    });
  });

  it("keeps its password for the server that it was given for, and for no other", async () => {
    const secret = { user: "me", password: "secret" };
    const name = "signed-in";
    expect(await configure(api, { name, email: email(secret) })).toMatchObject({ userErrors: [] });
    const signIns: string[] = [];
    const other = await startMailServer({
      allowInsecureAuth: true,
      onAuth: ({ username = "" }, _session, done) => {
        signIns.push(username);
        done(null, { user: username });
      },
    });
    await configure(api, { name, email: email({ port: other.port }) });
    const { action } = await propose(api, { platform: "reservations", tool: "book_reservation" });
    await waitUntil(() => other.received.some(({ source }) => source.includes(action.uuid)));
    expect(signIns).toEqual([]);
    await act(api, "removeChannel", { name }, "admin", "userErrors{code}");
    await other.close();
  });

  it.each(["on-call", "events"])("is configured as the README says: %s", async (name) => {
    const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
    const inputs = [...readme.matchAll(/^```json\n(\{\n {2}"name"[\s\S]*?)^```$/gm)].map(([, text = ""]) =>
      JSON.parse(text),
    );
    const input = inputs.find((one) => one.name === name);
    expect(await configure(api, input)).toEqual({ channel: { name }, userErrors: [] });
    await act(api, "removeChannel", { name }, "admin", "userErrors{code}");
  });

  it("says what would run only where the policy lets it", async () => {
    const may = (channels: string) => fourEyes(1_000).replace("rules:", `channels: [${channels}]\nrules:`);
    const shown = async () => {
      const secret = crypto.randomUUID();
      const input = { platform: "crm", tool: "send_certificate", arguments: { amount: 1, secret } };
      const { action } = await propose(api, input);
      await waitUntil(() => mailsAbout(action.uuid).length === 1);
      return mailsAbout(action.uuid)[0]?.source.includes(secret);
    };
    await putInForce(api, may("{ kind: EMAIL, arguments: true }"));
    expect(await shown()).toBe(true);
    await putInForce(api, may("{ name: other, arguments: true }, { kind: WEBHOOK, arguments: true }"));
    expect(await shown()).toBe(false);
    await putInForce(api, may("{ name: mail, arguments: false }, { kind: EMAIL, arguments: true }"));
    expect(await shown()).toBe(false);
    const personal = may("{ kind: EMAIL, arguments: true, except: [personal] }").replace(
      "send_certificate, effect: WRITE }",
      "send_certificate, effect: WRITE, data: [personal] }",
    );
    await putInForce(api, personal);
    expect(await shown()).toBe(false);
  });
});
