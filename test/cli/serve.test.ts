import { afterEach, describe, expect, it } from "vitest";
import { exitCodes } from "../../src/cli/exit.ts";
import { waitUntil } from "../support/wait.ts";
import { countersign } from "./run.ts";
import { type Serving, startServing } from "./serving.ts";

let serving: Serving | undefined;
afterEach(async () => {
  await serving?.close();
  serving = undefined;
});

describe("serve", () => {
  it("says how to be somebody there, in commands that work", async () => {
    serving = await startServing();
    await waitUntil(() => serving?.said().includes("curl") === true);
    expect(serving.said()).toContain("npx countersign token --as member");
    const token = (await countersign(["token", "--as", "member"], serving.environment)).stdout.trim();
    const body = /-d '(\{.*\})'/.exec(serving.said())?.[1] ?? "";
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const response = await fetch(serving.url, { method: "POST", headers, body });
    expect(await response.json()).toMatchObject({ data: { viewer: { id: "member", kind: "HUMAN" } } });
  });

  it("stops on SIGTERM and ends with 0", async () => {
    serving = await startServing();
    expect(await serving.end()).toBe(exitCodes.OK);
    await expect(fetch(serving.url)).rejects.toThrow();
  });

  it("refuses a catalog that is none before it listens", async () => {
    const { code, stderr } = await countersign(["serve", "--port", "0", "--catalog", "package.json"], {
      DATABASE_URL: "postgres://nobody@127.0.0.1:1/none",
    });
    expect(stderr).toContain("package.json");
    expect(code).toBe(exitCodes.USAGE);
  });
});
