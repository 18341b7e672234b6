import { randomBytes, randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { openDemoTokens } from "../../src/cli/tokens.ts";
import { loadConfig } from "../../src/config.ts";
import { createBiLogin, dropBiLogin } from "../../src/db/bi-login.ts";
import { type App, forget, startApp } from "./app.ts";
import { createTestDatabase, type TestDatabase, withClient } from "./postgres.ts";
import { makeDataDir } from "./server.ts";
import { waitUntil } from "./wait.ts";

const CATALOG = {
  platforms: { crm: { region: "eu" }, sheets: { region: "us" }, mail: { region: "eu" } },
  tools: {
    get_contact: { platform: "crm", effect: "READ" },
    append_row: { platform: "sheets", effect: "WRITE" },
    read_row: { platform: "sheets", effect: "READ" },
    send_mail: { platform: "mail", effect: "WRITE" },
  },
};
const CONTACT = { name: "Amelia Ahmed", email: "amelia.ahmed@example.org", phone: "+49 30 901820" };
/** What entries commit to, and what may be erased: nothing of it may be in tables for BI tools. */
export const ERASABLE = [
  CONTACT.name,
  CONTACT.email,
  "901820",
  "too many mails",
  "the office is on fire",
  "Demo approver",
];

/** The product with what agents and people did, and the logins of two BI tools. */
export interface BiScene {
  readonly app: App;
  readonly database: TestDatabase;
  /** Ids of actions, by what they are. */
  readonly actions: Readonly<
    Record<"read" | "copied" | "readAgain" | "denied" | "unknown" | "emergency" | "waiting", string>
  >;
  /** The address with which the tool of an organization connects. */
  urlOf(organization: "acme" | "globex"): string;
  close(): Promise<void>;
}

interface Made {
  readonly action: { readonly id: string; readonly uuid: string; readonly digest: string };
  readonly grant: { readonly token: string } | null;
}

export async function startBiScene(): Promise<BiScene> {
  const database = await createTestDatabase();
  const dataDir = await makeDataDir();
  const catalog = path.join(dataDir, "catalog.json");
  await writeFile(catalog, JSON.stringify(CATALOG));
  const environment = { CATALOG: catalog, METRICS_PORT: "0" };
  const app = await startApp({ databaseUrl: database.appUrl, dataDir, environment });
  const tokens = await openDemoTokens(loadConfig({}, { dataDir, signingKeyFile: path.join(dataDir, "keys.json") }));

  async function act<Result>(mutation: string, input: object, token: string, selection: string): Promise<Result> {
    const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
    const query = `mutation ($input: ${type}!) { ${mutation}(input: $input) { ${selection} userErrors { code message } } }`;
    const { data, errors } = await app.post<Record<string, Result>>(query, { input }, token);
    const result = data?.[mutation];
    if (result === undefined) throw new Error(JSON.stringify(errors));
    return result;
  }

  const conversationId = randomUUID();
  const propose = async (platform: string, tool: string, args: object) =>
    act<Made>(
      "proposeAction",
      { idempotencyKey: randomUUID(), platform, tool, arguments: args, conversationId },
      await app.token("agent"),
      "action { id uuid digest } grant { token }",
    );
  async function carryOut({ action, grant }: Made, result: unknown): Promise<void> {
    const agent = await app.token("agent");
    const claim = () => act<Made>("claimGrant", { actionId: action.id }, agent, "grant { token }");
    const token = (grant ?? (await claim()).grant)?.token;
    await act("redeemGrant", { token, digest: action.digest }, agent, "action { status }");
    await act("completeAction", { actionId: action.id, outcome: "SUCCEEDED", result }, agent, "action { status }");
  }
  const decide = async (verdict: "approve" | "deny", { action }: Made, token: string, more: object = {}) =>
    act(`${verdict}Action`, { actionId: action.id, digest: action.digest, ...more }, token, "action { status }");

  const read = await propose("crm", "get_contact", { id: 7 });
  await carryOut(read, { contact: CONTACT });
  const copied = await propose("sheets", "append_row", { row: [CONTACT.name.toUpperCase(), CONTACT.email] });
  await decide("approve", copied, await app.token("approver"));
  await carryOut(copied, { appended: 1 });
  const readAgain = await propose("sheets", "read_row", { row: 1 });
  await carryOut(readAgain, { cells: [CONTACT.name, CONTACT.email] });
  const denied = await propose("mail", "send_mail", { to: CONTACT.email, text: `Dear ${CONTACT.name}` });
  await decide("deny", denied, await app.token("approver2"), { note: "too many mails" });
  const unknown = await propose("mail", "delete_all", {});
  const emergency = await propose("mail", "send_mail", { to: "all", text: "Leave the building" });
  const breaker = await tokens.sign("approver2", { roles: ["approver", "break-glass"], ttl: 600 });
  const broken = { actionId: emergency.action.id, digest: emergency.action.digest, reason: "the office is on fire" };
  await act("breakGlass", broken, breaker, "action { status }");
  const waiting = await propose("sheets", "append_row", { row: ["1"] });
  await decide("approve", waiting, await app.token("agent"));

  const password = randomBytes(24).toString("base64url");
  const loginOf = (organization: string) => `bi_${organization}_${database.name}`;
  for (const organization of ["acme", "globex"]) {
    const login = { name: loginOf(organization), organization, password, connections: 5 };
    await withClient(database.superuserUrl, (client) => createBiLogin(client, login));
  }
  function urlOf(organization: string): string {
    const url = new URL(database.superuserUrl);
    url.username = loginOf(organization);
    url.password = password;
    return url.href;
  }
  await waitUntil(() =>
    withClient(urlOf("acme"), async (client) => {
      const { rows } = await client.query("SELECT FROM oc_bi.freshness WHERE entries_behind = 0");
      return rows.length === 1;
    }),
  );
  const made = { read, copied, readAgain, denied, unknown, emergency, waiting };
  return {
    app,
    database,
    actions: Object.fromEntries(
      Object.entries(made).map(([name, { action }]) => [name, action.uuid]),
    ) as BiScene["actions"],
    urlOf,
    async close() {
      await app.stop();
      await forget(app);
      for (const organization of ["acme", "globex"]) {
        await withClient(database.superuserUrl, (client) => dropBiLogin(client, loginOf(organization)));
      }
      await database.drop();
    },
  };
}
