import path from "node:path";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../src/config.ts";
import { ConfigurationError } from "../src/errors.ts";

function refusal(environment: Readonly<Record<string, string>>): string {
  try {
    loadConfig(environment);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(environment)}`);
}

describe("loadConfig", () => {
  it("has a default for everything, and takes an empty variable for an unset one", () => {
    const config = loadConfig({ PORT: "", DATA_DIR: "" });
    expect(config).toMatchObject({ host: "127.0.0.1", port: 4000, approvalTtl: 86_400, heartbeat: 15 });
    expect(config.dataDir).toBe(path.resolve(".data"));
  });

  it("takes numbers in decimal digits", () => {
    const given = { PORT: "0", HEARTBEAT: "0.5", APPROVAL_TTL: "60", SWEEP_INTERVAL: "1" };
    expect(loadConfig(given)).toMatchObject({ port: 0, heartbeat: 0.5, approvalTtl: 60, sweepInterval: 1 });
  });

  it.each([
    ["PORT", "NaN", 'PORT has to be a whole number from 0 to 65535, not "NaN"'],
    ["PORT", "abc", "PORT has to be a whole number from 0 to 65535"],
    ["PORT", "70000", "PORT has to be a whole number from 0 to 65535"],
    ["PORT", "0x50", "PORT has to be a whole number"],
    ["APPROVAL_TTL", "soon", "APPROVAL_TTL has to be a whole number of seconds from 1 to 31622400"],
    ["APPROVAL_TTL", "1d", "APPROVAL_TTL has to be a whole number of seconds"],
    ["APPROVAL_TTL", "0", "APPROVAL_TTL has to be a whole number of seconds from 1"],
    ["GRANT_TTL", "Infinity", "GRANT_TTL has to be a whole number of seconds"],
    ["EXECUTION_TTL", "1e9", "EXECUTION_TTL has to be a whole number of seconds"],
    ["CHAIN_IDLE", "-1", "CHAIN_IDLE has to be a whole number of seconds"],
    ["SESSION_TTL", "99999999999", "SESSION_TTL has to be a whole number of seconds"],
    ["HEARTBEAT", "0", "HEARTBEAT has to be a number of seconds from 0.1 to 300"],
    ["SWEEP_INTERVAL", "", undefined],
    ["SWEEP_INTERVAL", "1,5", "SWEEP_INTERVAL has to be a number of seconds from 0.05 to 3600"],
    ["APPEND_QUEUE", "many", "APPEND_QUEUE has to be a whole number of facts"],
    ["DATABASE_POOL", "3", "DATABASE_POOL has to be a whole number of connections from 4 to 200"],
    ["NODE_ENV", "prod", 'NODE_ENV has to be one of development, test, production, not "prod"'],
    ["LOG_LEVEL", "loud", "LOG_LEVEL has to be one of trace, debug"],
    ["HOST", "127.0.0.1:4000", "HOST has to be a host name or an IP address"],
    ["HOST", "http://here", "HOST has to be a host name or an IP address"],
    ["HOST", "::1", undefined],
    ["REGION", "EU", "REGION has to be 1 to 63 lower-case letters"],
    ["REGIONS", "us", "REGIONS has to be regions with the address of its database"],
    [
      "REGIONS",
      "us=postgres://me@db/x,us=postgres://me@db/y",
      "each once, separated by commas (in a value: %2C): number 2",
    ],
    ["REGIONS", "US=postgres://me@db/x", "REGIONS has to be regions"],
    ["REGIONS", "us=mysql://me:secret@db/x", "REGIONS has to be regions"],
    ["REGIONS", "us=postgres://me@db/x,ap=postgres://me@db/x", "REGIONS has to name another database for each region"],
    ["REGIONS", "us=postgres://me@db/x, ap=postgres://me@db/y", undefined],
    ["MIGRATION_REGIONS", "us=postgres://owner@db/x", "MIGRATION_REGIONS names us, which REGIONS does not"],
    [
      "REGION_ADDRESSES",
      "us=https://us.example/graphql",
      "REGION_ADDRESSES has to be regions with the address of a server",
    ],
    ["REGION_ADDRESSES", "eu=https://eu.example", "regions that this server does not serve, not eu"],
    ["REGION_ADDRESSES", "us=https://us.example", undefined],
    ["COUNTERSIGN_TOKEN", "Bearer abc", "COUNTERSIGN_TOKEN has to be a bearer token alone"],
    ["PUBLIC_URL", "countersign.example", "PUBLIC_URL has to be scheme, host and port alone"],
    ["PUBLIC_URL", "https://countersign.example/api", "PUBLIC_URL has to be scheme, host and port alone"],
    ["SLACK_API_URL", "http://slack.example/api", "SLACK_API_URL has to be an https address"],
    ["SLACK_API_URL", "https://xoxb@slack.example/api", "SLACK_API_URL has to be an https address"],
    ["SLACK_API_URL", "https://slack-gov.com/api/", undefined],
    ["TEAMS_LOGIN_URL", "http://login.example", "TEAMS_LOGIN_URL has to be an https address"],
    ["TEAMS_LOGIN_URL", "https://me:pw@login.example", "TEAMS_LOGIN_URL has to be an https address"],
    ["TEAMS_OPENID_URL", "login.example/keys", "TEAMS_OPENID_URL has to be an https address"],
    ["TEAMS_OPENID_URL", "https://login.example/keys?x=1", "TEAMS_OPENID_URL has to be an https address"],
    ["TEAMS_TOKEN_ISSUER", "http://127.0.0.1.example", "TEAMS_TOKEN_ISSUER has to be an https address"],
    ["TEAMS_TOKEN_ISSUER", "http://127.0.0.1:4010", undefined],
    ["TEAMS_SERVICE_HOSTS", "https://smba.example", "TEAMS_SERVICE_HOSTS has to be at most 100 host names"],
    ["TEAMS_SERVICE_HOSTS", "smba.example, *.example", "TEAMS_SERVICE_HOSTS has to be at most 100 host names"],
    ["TEAMS_SERVICE_HOSTS", "smba.example, 127.0.0.1", undefined],
    ["CORS_ORIGINS", "console.example", "CORS_ORIGINS has to be origins such as"],
    ["CORS_ORIGINS", "https://console.example/app", 'separated by commas, not "https://console.example/app"'],
    ["CORS_ORIGINS", "https://a.example, *", "CORS_ORIGINS has to be origins such as https://console.example"],
    ["CORS_ORIGINS", "https://*.example", "CORS_ORIGINS has to be origins such as"],
    ["CORS_ORIGINS", "null", "CORS_ORIGINS has to be origins such as"],
    ["CORS_ORIGINS", "https://me@console.example", "CORS_ORIGINS has to be origins such as"],
    ["CORS_ORIGINS", "https://console.example:99999", "CORS_ORIGINS has to be origins such as"],
    ["HOST", "[::1]", "HOST has to be a host name or an IP address, without a port, brackets or a zone"],
    ["HOST", "fe80::1%eth0", "HOST has to be a host name or an IP address, without a port, brackets or a zone"],
    ["CORS_ORIGINS", "https://a.example, http://localhost:3000", undefined],
    [
      "DATABASE_URL",
      "postgres://me@10.0.0.5/x?sslmode=verify-full",
      "DATABASE_URL has to name the host as its certificate",
    ],
    [
      "DATABASE_URL",
      "postgres://me@[::1]/x?sslmode=verify-full",
      "DATABASE_URL has to name the host as its certificate",
    ],
    ["DATABASE_URL", "postgres://me@db.example/x?sslmode=verify-full", undefined],
    ["METRICS_PORT", "none", "METRICS_PORT has to be a whole number from 0 to 65535"],
    ["SEND_BUFFER", "1", "SEND_BUFFER has to be a whole number of bytes from 65536 to 1073741824"],
    ["CONNECTION_LIMIT", "0", "CONNECTION_LIMIT has to be a whole number of connections from 16 to 1000000"],
    ["SEND_TIMEOUT", "0", "SEND_TIMEOUT has to be a number of seconds from 0.1 to 600"],
    ["DATA_DIR", "a\0b", "DATA_DIR has to be a path"],
  ])("%s=%j", (name, value, message) => {
    if (message === undefined) expect(() => loadConfig({ [name]: value })).not.toThrow();
    else expect(refusal({ [name]: value })).toContain(message);
  });

  it.each([["TLS_CERT_FILE"], ["TLS_KEY_FILE"]])("needs both files of TLS, not %s alone", (name) => {
    expect(refusal({ [name]: "some.pem" })).toContain("TLS_CERT_FILE and TLS_KEY_FILE have to be set together");
  });

  it("takes the database of the home region from REGIONS too, and of each region its own for migrations", () => {
    const config = loadConfig({
      REGION: "us",
      REGIONS: "eu=postgres://me@eu/x,us=postgres://me@us/x",
      MIGRATION_REGIONS: "eu=postgres://owner@eu/x",
    });
    expect(config).toMatchObject({ region: "us", databaseUrl: "postgres://me@us/x", partsRegions: true });
    expect(config.otherRegions).toEqual([
      {
        name: "eu",
        databaseUrl: "postgres://me@eu/x",
        migrationDatabaseUrl: "postgres://owner@eu/x",
        dataDir: `${config.dataDir}/regions/eu`,
      },
    ]);
    expect(loadConfig({})).toMatchObject({ region: "eu", otherRegions: [], partsRegions: false });
    // The home region may be served elsewhere, as by a server of another region.
    const abroad = { REGIONS: "us=postgres://me@db/x", REGION_ADDRESSES: "eu=https://eu.example" };
    expect(loadConfig(abroad)).toMatchObject({ homeAddress: "https://eu.example", databaseUrl: undefined });
    expect(() => loadConfig({ ...abroad, DATABASE_URL: "postgres://me@db/eu" })).toThrow(
      "DATABASE_URL is the database of eu, which REGION_ADDRESSES says is served elsewhere",
    );
    const both = { DATABASE_URL: "postgres://me@db/x", REGIONS: "eu=postgres://me@db/y" };
    expect(refusal(both)).toContain("DATABASE_URL is the database of eu, which REGIONS names too");
  });

  it("reads origins as browsers send them", () => {
    const given =
      "HTTPS://Console.Example:443/, http://bücher.example:8080 ,https://console.example,http://[0:0::1]:3000";
    expect(loadConfig({ CORS_ORIGINS: given }).corsOrigins).toEqual([
      "https://console.example",
      "http://xn--bcher-kva.example:8080",
      "http://[::1]:3000",
    ]);
  });

  it("names every setting that is wrong, and repeats no password", () => {
    const message = refusal({ PORT: "x", DATABASE_URL: "mysql://me:secret@db/x", MIGRATION_DATABASE_URL: "secret" });
    expect(message).toMatch(/PORT has .*DATABASE_URL has .*MIGRATION_DATABASE_URL has /);
    expect(message).not.toContain("secret");
  });
});
