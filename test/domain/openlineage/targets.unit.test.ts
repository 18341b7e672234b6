import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadTargets } from "../../../src/domain/openlineage/targets.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "countersign-targets-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function load(value: unknown) {
  const file = path.join(folder, "targets.json");
  await writeFile(file, typeof value === "string" ? value : JSON.stringify(value));
  return loadTargets(file);
}
const URL = "https://marquez.acme.example/api/v1/lineage";

describe("the file of OpenLineage targets", () => {
  it("has an address and headers for each organization", async () => {
    expect(await loadTargets(undefined)).toEqual(new Map());
    const targets = await load({ acme: { url: URL, headers: { "X-Key": "a b" } }, globex: { url: `${URL}?k=1` } });
    expect([...targets]).toEqual([
      ["acme", { url: URL, headers: { "X-Key": "a b" } }],
      ["globex", { url: `${URL}?k=1`, headers: {} }],
    ]);
  });

  it.each([
    ["not JSON", "{", "line 1"],
    ["an organization that can be none", { "Acme Inc": { url: URL } }, "line 1"],
    ["plain HTTP", { acme: { url: "http://marquez.acme.example" } }, "https address"],
    ["a password in the address", { acme: { url: "https://user:secret@marquez.acme.example" } }, "https address"],
    ["another scheme", { acme: { url: "file:///etc/passwd" } }, "https address"],
    ["an unknown member", { acme: { url: URL, header: {} } }, "header"],
    ["a header of the connection", { acme: { url: URL, headers: { Host: "evil.example" } } }, "set by the server"],
    ["a line break in a header", { acme: { url: URL, headers: { "X-A": "a\r\nX-B: b" } } }, "printable ASCII"],
    ["a name that is none", { acme: { url: URL, headers: { "X A": "b" } } }, "no name of a header"],
    [
      "too many headers",
      { acme: { url: URL, headers: Object.fromEntries(Array.from({ length: 21 }, (_, at) => [`x-${at}`, ""])) } },
      "at most 20",
    ],
  ])("is refused with %s, naming the file and not its secrets", async (_what, value, message) => {
    const refusal = load(value);
    await expect(refusal).rejects.toThrow(message);
    await expect(refusal).rejects.toThrow("OPENLINEAGE_FILE");
    await expect(refusal).rejects.not.toThrow("secret");
  });
});
