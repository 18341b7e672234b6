import { describe, expect, it } from "vitest";
import { teamsProblem, teamsSecrets, teamsSettings } from "../../../../src/domain/channels/teams/settings.ts";

const endpoints = {
  loginUrl: "https://login.example",
  openIdUrl: "https://keys.example",
  tokenIssuer: "https://issuer.example",
  serviceHosts: ["smba.trafficmanager.net"],
};
const bot = {
  mode: "BOT",
  tenantId: "72F988BF-86F1-41AF-91AB-2D7CD011DB47",
  appId: "0d1fbb2e-5a3c-4f6e-8f0f-0a3a6f1f2c11",
  conversationId: "19:0123abcd@thread.tacv2",
  serviceUrl: "https://smba.trafficmanager.net/emea/",
} as const;
const secrets = { appPassword: "abc~DEF.123" };
const workflowUrl = "https://prod-1.logic.example/workflows/1?sig=x";

describe("the settings of a Teams channel", () => {
  it("are those of a bot or of a workflow, with ids in small letters", () => {
    const settings = teamsSettings.parse(bot);
    expect(settings.tenantId).toBe(bot.tenantId.toLowerCase());
    expect(teamsSettings.parse(settings)).toEqual(settings);
    expect(teamsProblem({ settings, secrets: teamsSecrets.parse(secrets) }, endpoints)).toBeUndefined();
    const global = teamsSettings.parse({ ...bot, serviceUrl: undefined });
    expect(teamsProblem({ settings: global, secrets }, endpoints)).toBeUndefined();
    expect(teamsProblem({ settings: global, secrets }, { ...endpoints, serviceHosts: [] })).toContain(
      "does not permit",
    );
    const workflow = {
      settings: teamsSettings.parse({ mode: "WORKFLOW" }),
      secrets: teamsSecrets.parse({ workflowUrl }),
    };
    expect(teamsProblem(workflow, endpoints)).toBeUndefined();
  });

  it("are refused with what is missing, or where a token must not go", () => {
    const settings = teamsSettings.parse({ ...bot, tenantId: undefined });
    expect(teamsProblem({ settings, secrets: {} }, endpoints)).toBe("mode BOT needs tenantId, appPassword");
    expect(teamsProblem({ settings: { mode: "WORKFLOW" }, secrets }, endpoints)).toBe(
      "mode WORKFLOW needs workflowUrl",
    );
    const elsewhere = teamsSettings.parse({ ...bot, serviceUrl: "https://smba.trafficmanager.net.example/" });
    expect(teamsProblem({ settings: elsewhere, secrets }, endpoints)).toContain("TEAMS_SERVICE_HOSTS does not permit");
  });

  it("are refused when a value is not what it has to be", () => {
    const bad = [
      { mode: "SOCKET" },
      { tenantId: "acme.onmicrosoft.com" },
      { appId: "" },
      { conversationId: "19:0123abcd@thread.tacv2;messageid=1" },
      { conversationId: "../v3/conversations" },
      { conversationId: "a".repeat(201) },
      { serviceUrl: "http://smba.trafficmanager.net/" },
      { serviceUrl: "https://user:pw@smba.trafficmanager.net/" },
      { serviceUrl: "https://smba.trafficmanager.net/?a=b" },
      { serviceUrl: "smba.trafficmanager.net" },
      { other: 1 },
    ];
    for (const change of bad)
      expect(teamsSettings.safeParse({ ...bot, ...change }).success, JSON.stringify(change)).toBe(false);
    const badSecrets = [
      { appPassword: "" },
      { appPassword: "a b" },
      { appPassword: "a\r\nb" },
      { workflowUrl: "http://prod.example/" },
      { x: "" },
    ];
    for (const secret of badSecrets) expect(teamsSecrets.safeParse(secret).success, JSON.stringify(secret)).toBe(false);
  });
});
