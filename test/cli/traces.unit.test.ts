import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { failureOf, readTraces } from "../../src/cli/replay/traces.ts";
import { loadCatalog } from "../../src/domain/policy/catalog.ts";
import { root } from "./run.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "countersign-traces-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function traces(...lines: readonly unknown[]): Promise<string> {
  const file = path.join(folder, "traces.jsonl");
  await writeFile(file, lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"));
  return file;
}

const step = { tool: "calculate", platform: "calculator", arguments: { expression: "1 + 1" }, output: 2 };

describe("readTraces", () => {
  it("reads what ships with the product, all of it in the catalog beside it", async () => {
    const conversations = await readTraces(path.join(root, "clients/demo/airline.jsonl"));
    const { tools } = await loadCatalog(path.join(root, "src/domain/policy/sample-catalog.json"));
    const steps = conversations.flatMap((conversation) => conversation.steps);
    expect(conversations).toHaveLength(12);
    expect(steps).toHaveLength(63);
    expect(steps.filter(({ tool }) => tools.get(tool)?.effect === "WRITE")).toHaveLength(22);
    expect(steps.filter((each) => failureOf(each) !== undefined)).toHaveLength(7);
    expect(steps.filter(({ tool, platform }) => tools.get(tool)?.platform !== platform)).toEqual([]);
  });

  it("skips empty lines and keeps the order", async () => {
    const file = await traces({ id: "a", steps: [step] }, "", { id: "b", steps: [] }, "");
    expect((await readTraces(file)).map(({ id }) => id)).toEqual(["a", "b"]);
  });

  it.each([
    ["not JSON", '{"id":', /traces\.jsonl:2: .*JSON/],
    ["a missing tool", { id: "b", steps: [{ ...step, tool: undefined }] }, /:2: steps\.0\.tool/],
    ["an id seen before", { id: "a", steps: [] }, /:2: a second conversation with id a/],
    [
      "a number that reading would round",
      '{"id":"b","steps":[{"tool":"t","platform":"p","arguments":{"n":9007199254740993},"output":null}]}',
      /:2: .*2\^53/,
    ],
  ])("refuses %s and names the line", async (_, line, message) => {
    const file = await traces({ id: "a", steps: [step] }, line);
    await expect(readTraces(file)).rejects.toMatchObject({ code: "USAGE", message: expect.stringMatching(message) });
  });

  it("refuses a file with nothing to replay", async () => {
    await expect(readTraces(await traces(""))).rejects.toMatchObject({ code: "USAGE" });
  });
});

describe("failureOf", () => {
  it("takes a text that begins with Error for a failure, and nothing else", () => {
    expect(failureOf({ ...step, output: "Error: no such flight" })).toBe("Error: no such flight");
    expect(failureOf({ ...step, output: "No Error" })).toBeUndefined();
    expect(failureOf({ ...step, output: { error: "Error" } })).toBeUndefined();
  });
});
