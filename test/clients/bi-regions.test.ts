import { writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { countersign } from "../cli/run.ts";
import { withClient } from "../support/postgres.ts";
import { startTwoRegions, type TwoRegions } from "../support/two-regions.ts";
import { waitUntil } from "../support/wait.ts";

const PASSWORD = "of-a-tool-of-two-regions";
let regions: TwoRegions;
let login: string;
let environment: Readonly<Record<string, string>>;

beforeAll(async () => {
  regions = await startTwoRegions();
  login = `bi_${regions.eu.name}`;
  environment = { DATABASE_URL: regions.eu.superuserUrl, REGIONS: `us=${regions.us.superuserUrl}` };
});
afterAll(async () => {
  await countersign(["bi-role", "drop", "--login", login], environment);
  await regions?.close();
});

it("each region's database has the actions of that region, for one login", async () => {
  const [eu, us] = [await regions.propose("eu"), await regions.propose("us")];
  const passwordFile = path.join(regions.app.dataDir, "bi-password");
  await writeFile(passwordFile, PASSWORD);
  const options = ["--organization", "acme", "--login", login, "--password-file", passwordFile, "--accepted"];
  const { code, stdout, stderr } = await countersign(["bi-role", "create", ...options], environment);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  expect(stdout).toMatch(/^region eu: \w+ was created, .*\nregion us: \w+ has this password now, .*\n$/);

  for (const [region, { action }] of Object.entries({ eu, us })) {
    const url = new URL((region === "eu" ? regions.eu : regions.us).superuserUrl);
    url.username = login;
    url.password = PASSWORD;
    await withClient(url.href, async (client) => {
      const read = async () =>
        (await client.query("SELECT action_id, ledger_region, status FROM oc_bi.actions ORDER BY 1")).rows;
      await waitUntil(async () => (await read()).length > 0);
      expect(await read()).toEqual([{ action_id: action.uuid, ledger_region: region, status: "PENDING" }]);
    });
  }
});
