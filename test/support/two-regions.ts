import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { openDemoTokens } from "../../src/cli/tokens.ts";
import { loadConfig } from "../../src/config.ts";
import type { DemoName } from "../../src/domain/identity/demo-principals.ts";
import { type App, forget, startApp } from "./app.ts";
import { createTestDatabase, type TestDatabase } from "./postgres.ts";
import { makeDataDir } from "./server.ts";

const CATALOG = {
  platforms: { crm: { region: "eu" }, sheets: { region: "us" } },
  tools: {
    get_contact: { platform: "crm", effect: "READ", personalData: true },
    update_contact: { platform: "crm", effect: "WRITE" },
    append_row: { platform: "sheets", effect: "WRITE" },
    read_row: { platform: "sheets", effect: "READ" },
  },
};
/** A tool of each region whose calls wait for approval. */
const WRITES = { eu: ["crm", "update_contact"], us: ["sheets", "append_row"] } as const;

export interface Proposed {
  readonly action: { readonly id: string; readonly uuid: string; readonly digest: string; readonly status: string };
  readonly userErrors: readonly { readonly code: string; readonly message: string }[];
}

const PROPOSE = `mutation ($input: ProposeActionInput!) { proposeAction(input: $input) {
  action { id uuid digest status } userErrors { code message path } } }`;

/** The product with a home region, `eu`, and another one, `us`. */
export interface TwoRegions {
  readonly app: App;
  readonly eu: TestDatabase;
  readonly us: TestDatabase;
  /** A token of a demo principal with these roles in place of its own. */
  token(as: DemoName, roles: readonly string[]): Promise<string>;
  /** Proposes a write in a region; `more` are further members of the input. */
  propose(region: "eu" | "us", more?: object, token?: string): Promise<Proposed>;
  close(): Promise<void>;
}

/** A new data directory, with the file of a catalog of tools in two regions. */
export async function makeCatalog(): Promise<{ readonly dataDir: string; readonly catalog: string }> {
  const dataDir = await makeDataDir();
  const catalog = path.join(dataDir, "catalog.json");
  await writeFile(catalog, JSON.stringify(CATALOG));
  return { dataDir, catalog };
}

/** @param usUrl how the server reaches the other region's database, of which it is given the URL */
export async function startTwoRegions(
  environment: Readonly<Record<string, string>> = {},
  usUrl: (url: string) => string | Promise<string> = (url) => url,
): Promise<TwoRegions> {
  const [eu, us] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  const { dataDir, catalog } = await makeCatalog();
  const regions = { CATALOG: catalog, REGIONS: `us=${await usUrl(us.appUrl)}` };
  const app = await startApp({ databaseUrl: eu.appUrl, dataDir, environment: { ...regions, ...environment } });
  const tokens = await openDemoTokens(loadConfig({}, { dataDir, signingKeyFile: path.join(dataDir, "keys.json") }));
  return {
    app,
    eu,
    us,
    token: (as, roles) => tokens.sign(as, { roles, ttl: 3_600 }),
    async propose(region, more = {}, token) {
      const [platform, tool] = WRITES[region];
      const values = { idempotencyKey: randomUUID(), arguments: {}, repeat: true };
      const input = { platform, tool, ...values, ...more };
      const { data, errors } = await app.post<{ proposeAction: Proposed }>(
        PROPOSE,
        { input },
        token ?? (await app.token("agent")),
      );
      if (data === undefined || data === null) throw new Error(JSON.stringify(errors));
      return data.proposeAction;
    },
    async close() {
      await app.stop();
      await forget(app);
      await Promise.all([eu.drop(), us.drop()]);
    },
  };
}
