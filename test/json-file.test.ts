import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadIdentityFile } from "../src/domain/identity/identity-file.ts";
import { loadKeys } from "../src/domain/identity/keys.ts";
import { loadCatalog } from "../src/domain/policy/catalog.ts";
import { ConfigurationError } from "../src/errors.ts";
import { loadGuardExceptions } from "../src/ledger/guards/exceptions.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "countersign-json-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const readers = [
  ["catalog", loadCatalog, "CATALOG"],
  ["identity file", loadIdentityFile, "IDENTITY_FILE"],
  ["key file", loadKeys, "SIGNING_KEY_FILE"],
  ["file of guard exceptions", loadGuardExceptions, "GUARD_EXCEPTIONS"],
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
    ['{"a": 1} // secret', "invalid comment token at line 1, column 10"],
    [" \n", "is empty"],
    ["\uFEFF{}", "begins with a byte order mark, which JSON must not have: save it without one at line 1, column 1"],
    ['{\n  "secret": 1,\n  "secret": 2\n}', "has the member of line 2, column 3 again at line 3, column 3"],
    ['[{"a": {"secret": 1, "s\\u0065cret": 2}}]', "has the member of line 1, column 9 again at line 1, column 22"],
    ['{\n "sec\u200bret": 1}', "has a member whose name has U+200B as character 4, which cannot be seen"],
    ['{\n "sec\\u200bret": 1}', "leave it out at line 2, column 2"],
    ['{" secret": 1}', "must have no spaces but single ones between words at line 1, column 2"],
    [Buffer.from('{\n"a": "secr\xe9t"}', "latin1"), "is not UTF-8: save it in that encoding at line 2, column 11"],
    [Buffer.from('\ufeff{"a": 1}', "utf16le"), "is not UTF-8: save it in that encoding at line 1, column 1"],
  ])("%j says where", async (text, where) => {
    const file = path.join(folder, "malformed.json");
    await writeFile(file, text);
    const error = await load(file).catch((thrown: unknown) => thrown);
    if (!(error instanceof ConfigurationError)) throw new Error(`no ConfigurationError, but ${error}`);
    expect(error.message).toContain(where);
    expect(error.message).toMatch(setting);
    // A log has the causes of an error as well.
    expect(inspect(error)).not.toContain("secret");
  });
});

describe("data that is not as it has to be", () => {
  it.each([
    [
      "catalog",
      loadCatalog,
      '{\n  "platforms": {"crm": {"region": "EU"}},\n  "tools": {}\n}',
      "platforms.crm.region at line 2, column 35: ",
    ],
    ["catalog", loadCatalog, '{\n  "tools": {}\n}', "platforms at line 1, column 1: "],
    [
      "identity file",
      loadIdentityFile,
      '{\n  "issuers": [\n    {"issuer": "ftp://x"}]\n}',
      "issuers.0.issuer at line 3, column 16: ",
    ],
    [
      "identity file",
      loadIdentityFile,
      '{\n  "clientRules": {\n    "version": "x"\n  }\n}',
      "clientRules: version at line 3, column 16: ",
    ],
    ["file of guard exceptions", loadGuardExceptions, '{\n  "public.x": [1]\n}', "public.x.0 at line 2, column 16: "],
  ] as const)("in a %s is named with line and column", async (_, load, text, where) => {
    const file = path.join(folder, "data.json");
    await writeFile(file, text);
    expect(await refusal(load(file))).toContain(where);
  });
});
