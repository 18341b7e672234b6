import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { propose } from "../graphql/steps.ts";
import type { Api } from "../http/harness.ts";
import { serveApis } from "../http/served-api.ts";
import { cardText } from "../support/teams/cards.ts";
import { TOKEN_ISSUER } from "../support/teams/identity.ts";
import { startTeams, type Teams } from "../support/teams/teams.ts";
import { waitUntil } from "../support/wait.ts";

const { start } = serveApis();
let teams: Teams;
let api: Api;

beforeAll(async () => {
  teams = await startTeams();
  const { openIdUrl, loginUrl } = teams.identity;
  const endpoints = { openIdUrl, loginUrl, tokenIssuer: TOKEN_ISSUER, serviceHosts: ["127.0.0.1"] };
  api = await start({ channels: { interval: 0.1 }, teams: endpoints });
});
afterAll(() => teams?.close());

const readme = readFileSync(path.join(import.meta.dirname, "../../README.md"), "utf8");
const guide = /\n### Connect Microsoft Teams\n(?<text>.*?)\n##+ /s.exec(readme)?.groups?.text ?? "";

/** The blocks of a language in the guide, with its placeholders filled in. */
function blocks(language: string): readonly string[] {
  const values: Readonly<Record<string, string>> = {
    "directory id": teams.tenantId,
    "application id": teams.appId,
    "client secret": teams.appPassword,
    "id of the conversation": teams.conversation,
    "address of the workflow": teams.connector.workflowUrl,
  };
  const found = [...guide.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))].map(([, text = ""]) => text);
  return found.map((text) =>
    text.replaceAll(/"<([^<>]+)>"/g, (_, name: string) => {
      const value = values[name];
      if (value === undefined) throw new Error(`the guide has <${name}>, which nobody knows`);
      return JSON.stringify(value);
    }),
  );
}

async function run<Data>(query: string | undefined, as: "admin" | "approver"): Promise<Data> {
  const { data, errors } = await api.gql<Data>(query ?? "", {}, { as });
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data;
}

describe("the guide to connect Microsoft Teams", () => {
  it("has an app that Teams can install for the bot", () => {
    const [manifest = "{}"] = blocks("json");
    const app = JSON.parse(manifest) as { bots: { botId: string; scopes: string[] }[]; icons: object };
    expect(app.bots).toEqual([{ botId: teams.appId, scopes: ["team", "personal", "groupChat"] }]);
    expect(app).toMatchObject({ icons: { color: "color.png", outline: "outline.png" }, id: teams.appId });
  });

  it("leads from a registration to a decision in Teams, and to a message of a workflow", async () => {
    const [configured, link, workflow, ...others] = blocks("graphql");
    expect(others).toEqual([]);
    // Which the guide leaves out, as the global service is meant.
    const local = configured?.replace(
      "mode: BOT",
      `mode: BOT, serviceUrl: ${JSON.stringify(teams.connector.serviceUrl)}`,
    );
    interface Configured {
      readonly configureChannel: {
        readonly channel: { readonly path: string };
        readonly userErrors: readonly unknown[];
      };
    }
    const { configureChannel } = await run<Configured>(local, "admin");
    expect(configureChannel).toEqual({ channel: { path: "/channels/teams/acme/approvals" }, userErrors: [] });
    teams.botUrl = api.url.replace("/graphql", "") + configureChannel.channel.path;
    expect(await teams.join()).toMatchObject({ status: 200 });

    const made = await run<{ startAccountLink: { code: string } }>(link, "approver");
    await teams.say(teams.alice, `link ${made.startAccountLink.code}`);
    expect(await run(workflow, "admin")).toMatchObject({ configureChannel: { userErrors: [] } });
    const { action } = await propose(api);
    await waitUntil(() => teams.posts().length > 0 && teams.connector.workflowCards.length > 0);
    const [post] = teams.posts();
    if (post === undefined) throw new Error("nothing was posted");
    const pressed = await teams.press(teams.alice, post, "Approve");
    expect(pressed.card && cardText(pressed.card)).toContain("Approved: approver, in Teams");
    expect(JSON.stringify(teams.connector.workflowCards)).toContain(action.uuid);
  });
});
