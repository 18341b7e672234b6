import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { failureOf, readTraces } from "../../src/cli/replay/traces.ts";
import { findTool, loadCatalog } from "../../src/domain/policy/catalog.ts";
import { root } from "./run.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "countersign-traces-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function traces(...lines: readonly unknown[]): Promise<string> {
  const file = path.join(folder, "traces.jsonl");
  const written = lines.map((line) =>
    typeof line === "string" || Buffer.isBuffer(line) ? line : JSON.stringify(line),
  );
  await writeFile(file, Buffer.concat(written.flatMap((line) => [Buffer.from(line), Buffer.from("\n")])));
  return file;
}

const step = { tool: "calculate", platform: "calculator", arguments: { expression: "1 + 1" }, output: 2 };

describe("readTraces", () => {
  it("reads what ships with the product, all of it in the catalog beside it", async () => {
    const conversations = await readTraces(path.join(root, "clients/demo/airline.jsonl"));
    const catalog = await loadCatalog(path.join(root, "src/domain/policy/sample-catalog.json"));
    const steps = conversations.flatMap((conversation) => conversation.steps);
    expect(conversations).toHaveLength(12);
    expect(steps).toHaveLength(63);
    const listed = steps.map(({ platform, tool }) => findTool(catalog, platform, tool));
    expect(listed.filter((tool) => tool?.effect === "WRITE")).toHaveLength(22);
    expect(steps.filter((each) => failureOf(each) !== undefined)).toHaveLength(7);
    expect(listed).not.toContain(undefined);
  });

  it("skips empty lines and keeps the order", async () => {
    const file = await traces({ id: "a", steps: [step] }, "", { id: "b", steps: [] }, "");
    expect((await readTraces(file)).map(({ id }) => id)).toEqual(["a", "b"]);
  });

  it("takes a line separator within a text, and arguments of any name, as they are", async () => {
    const output = "one\u2028two";
    const file = await traces({ id: "a", steps: [{ ...step, arguments: { "": 1, "a\u200bb": 2 }, output }] });
    const [conversation] = await readTraces(file);
    expect(conversation?.steps).toMatchObject([{ arguments: { "": 1, "a\u200bb": 2 }, output }]);
  });

  it.each([
    ["not JSON", '{"id":', /traces\.jsonl:2:7: is not JSON/],
    [
      "a second member of one name",
      '{"id":"b","steps":[],"id":"c"}',
      /:2:22: has the member of line 1, column 2 again/,
    ],
    ["a byte order mark", '\uFEFF{"id":"b","steps":[]}', /:2:1: begins with a byte order mark/],
    ["another encoding", Buffer.from('{"id":"caf\xe9"}', "latin1"), /:2:11: is not UTF-8/],
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
