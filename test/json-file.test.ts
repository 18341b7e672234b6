import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadIdentityFile } from "../src/domain/identity/identity-file.ts";
import { loadKeys } from "../src/domain/identity/keys.ts";
import { loadCatalog } from "../src/domain/policy/catalog.ts";
import { ConfigurationError } from "../src/errors.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "countersign-json-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const readers = [
  ["catalog", loadCatalog, "CATALOG"],
  ["identity file", loadIdentityFile, "IDENTITY_FILE"],
  ["key file", loadKeys, "SIGNING_KEY_FILE"],
] as const;

async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.catch((thrown: unknown) => thrown);
  if (!(error instanceof ConfigurationError)) throw new Error(`no ConfigurationError, but ${error}`);
  return error.message;
}

describe.each(readers)("a bad %s", (what, load, setting) => {
  it("that is missing is distinguished from one that is not JSON, and names its setting", async () => {
    // Keys that are not there are made.
    if (what === "key file") return;
    const file = path.join(folder, "nowhere.json");
    const message = await refusal(load(file));
    expect(message).toMatch(`the ${what} ${file} does not exist: correct ${setting}`);
  });

  it("that is a folder is reported as one", async () => {
    const file = path.join(folder, "folder.json");
    await mkdir(file, { recursive: true });
    expect(await refusal(load(file))).toContain("is a folder, not a file");
  });

  it("below a file is reported as such", async () => {
    const file = path.join(folder, "plain.json");
    await writeFile(file, "{}");
    expect(await refusal(load(path.join(file, "below.json")))).toMatch(setting);
  });

  it.each([
    ['{\n  "a": secret\n}', "invalid symbol at line 2, column 8"],
    ['{\n  "a": 1,\n}', "property name expected at line 3, column 1"],
    ['{\n  "a": 1\n  "b": 2\n}', "comma expected at line 3, column 3"],
    ['{"a": 1', "close brace expected at line 1, column 8"],
    ["// mine\n{}", "invalid comment token at line 1, column 1"],
    [" \n", "it is empty"],
  ])("%j says where", async (text, where) => {
    const file = path.join(folder, "malformed.json");
    await writeFile(file, text);
    const message = await refusal(load(file));
    expect(message).toContain(where);
    expect(message).toMatch(setting);
    expect(message).not.toContain("secret");
  });
});

describe("a JSON file", () => {
  it("may begin with a byte order mark, as editors of Windows write it", async () => {
    const file = path.join(folder, "marked.json");
    await writeFile(file, '\uFEFF{"issuers": []}');
    expect((await loadIdentityFile(file)).issuers).toEqual([]);
  });
});
