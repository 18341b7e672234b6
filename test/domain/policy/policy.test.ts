import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { findTool, loadCatalog, parseCatalog } from "../../../src/domain/policy/catalog.ts";
import { createPolicy, type Policy } from "../../../src/domain/policy/evaluate.ts";
import { reasonFor, reasonOf } from "../../../src/domain/policy/reason.ts";
import { ConfigurationError } from "../../../src/errors.ts";
import { situation } from "./situations.ts";

/** For a call without arguments. */
const evaluate = (policy: Policy, platform: string, tool: string, allowed?: readonly string[]) =>
  policy.evaluate(situation({ platform, tool, arguments: {} }), allowed);

const platforms = { crm: { region: "eu" }, flights: { region: "us" } };
const tools = {
  look: { platform: "crm", effect: "READ" },
  book: { platform: "flights", effect: "WRITE", personalData: true },
};

describe("loadCatalog", () => {
  it("reads the sample that ships", async () => {
    const catalog = await loadCatalog();
    expect([...catalog.platforms.values()].flatMap(({ tools: own }) => [...own.keys()])).toHaveLength(13);
    expect(catalog.platforms.get("vouchers")).toMatchObject({ name: "vouchers", region: "us" });
    // It is recorded with every decision.
    expect(createPolicy(catalog).hash).toBe("sha256:3cb7bc007823265e80e8c1ed1ef5a743be0fbe3ceea2f294872917b7728380e1");
    expect(findTool(catalog, "calculator", "calculate")).toEqual({
      name: "calculate",
      platform: "calculator",
      effect: "READ",
      personalData: false,
    });
  });

  it("names what is wrong", async () => {
    const directory = await mkdtemp(path.join(tmpdir(), "countersign-catalog-"));
    const file = path.join(directory, "catalog.json");
    await expect(loadCatalog(file)).rejects.toThrow(ConfigurationError);
    await writeFile(file, "{");
    await expect(loadCatalog(file)).rejects.toThrow(ConfigurationError);
    await rm(directory, { recursive: true });
  });
});

describe("parseCatalog", () => {
  it.each([
    ["nothing", undefined],
    ["a list", []],
    ["no platforms", { tools }],
    ["tools in a list", { platforms, tools: [] }],
    ["tools of a platform in a list", { platforms: { crm: { region: "eu", tools: [] } } }],
    ["a tool of a platform that names one", { platforms: { crm: { region: "eu", tools: { look: tools.look } } } }],
    [
      "a tool that is listed twice",
      { platforms: { crm: { region: "eu", tools: { look: { effect: "READ" } } } }, tools },
    ],
    ["an unknown effect", { platforms, tools: { x: { platform: "crm", effect: "BOTH" } } }],
    ["an unknown member", { platforms, tools: { x: { platform: "crm", effect: "READ", approvers: 0 } } }],
    ["a platform that is not listed", { platforms, tools: { x: { platform: "erp", effect: "READ" } } }],
    ["a platform every object has", { platforms, tools: { x: { platform: "constructor", effect: "READ" } } }],
    ["a region that is none", { platforms: { crm: { region: "E U" } }, tools: {} }],
  ])("refuses %s", (_, data) => {
    expect(() => parseCatalog(data)).toThrow(ConfigurationError);
  });

  const alike = {
    crm: { region: "eu", tools: { get: { effect: "READ" } } },
    erp: { region: "us", tools: { get: { effect: "WRITE" }, put: { effect: "WRITE" } } },
  };

  it("takes tools of the same name on two platforms", () => {
    const policy = createPolicy(parseCatalog({ platforms: alike }));
    expect(evaluate(policy, "crm", "get")).toMatchObject({ outcome: "PERMIT", effect: "READ", region: "eu" });
    expect(evaluate(policy, "erp", "get")).toMatchObject({ outcome: "REQUIRE", effect: "WRITE", region: "us" });
    expect(evaluate(policy, "crm", "put")).toMatchObject({ outcome: "FORBID" });
    const swapped = {
      crm: { ...alike.crm, tools: alike.erp.tools },
      erp: { ...alike.erp, tools: alike.crm.tools },
    };
    expect(createPolicy(parseCatalog({ platforms: swapped })).hash).not.toBe(policy.hash);
    expect(createPolicy(parseCatalog(parseCatalog({ platforms: alike }).document)).hash).toBe(policy.hash);
  });

  it("is the same catalog however its tools are listed", () => {
    const nested = {
      crm: { region: "eu", tools: { look: { effect: "READ" } } },
      flights: { region: "us", tools: { book: { effect: "WRITE", personalData: true } } },
    };
    expect(parseCatalog({ platforms: nested })).toEqual(parseCatalog({ platforms, tools }));
    const mixed = { platforms: { ...platforms, crm: nested.crm }, tools: { book: tools.book } };
    expect(createPolicy(parseCatalog(mixed)).hash).toBe(createPolicy(parseCatalog({ platforms, tools })).hash);
  });

  it("takes tools of any name", () => {
    const data = JSON.parse(
      '{"platforms":{"__proto__":{"region":"eu"}},"tools":{"__proto__":{"platform":"__proto__","effect":"READ"}}}',
    );
    const catalog = parseCatalog(data);
    expect(evaluate(createPolicy(catalog), "__proto__", "__proto__").outcome).toBe("PERMIT");
    expect(JSON.stringify(catalog.document)).toContain("__proto__");
  });
});

describe("evaluate", () => {
  const policy = createPolicy(parseCatalog({ platforms, tools }));

  it("permits a catalogued read", () => {
    expect(evaluate(policy, "crm", "look")).toMatchObject({
      outcome: "PERMIT",
      effect: "READ",
      region: "eu",
      requirements: [],
    });
  });

  it("asks one approver about a catalogued write", () => {
    expect(evaluate(policy, "flights", "book")).toMatchObject({
      outcome: "REQUIRE",
      effect: "WRITE",
      region: "us",
      requirements: [{ id: "writes-one-approver", group: "approvers", needed: 1 }],
      rules: [{ ruleId: "writes-one-approver", outcome: "REQUIRE", because: { "tool.effect": "WRITE" } }],
    });
  });

  it.each([
    ["crm", "unknown", "eu"],
    ["crm", "book", "eu"],
    ["erp", "look", "unknown"],
    ["crm", "__proto__", "eu"],
    ["crm", "constructor", "eu"],
    ["crm", "toString", "eu"],
    ["constructor", "look", "unknown"],
    ["", "", "unknown"],
  ])("forbids %s %s, which counts as a write", (platform, tool, region) => {
    expect(evaluate(policy, platform, tool)).toMatchObject({
      outcome: "FORBID",
      effect: "WRITE",
      region,
      requirements: [],
      rules: [{ ruleId: "unknown-tool-forbidden", because: { platform, tool, known: false } }],
    });
  });

  it("forbids an invited agent the platforms it was not invited to, whatever the tool would get elsewhere", () => {
    expect(evaluate(policy, "flights", "book", ["crm"])).toMatchObject({
      outcome: "FORBID",
      effect: "WRITE",
      region: "us",
      requirements: [],
      rules: [
        { ruleId: "agent-platforms", outcome: "FORBID", because: { platform: "flights", allowed: ["crm"] } },
        { ruleId: "writes-one-approver" },
      ],
    });
    expect(evaluate(policy, "crm", "look", [])).toMatchObject({ outcome: "FORBID" });
    expect(evaluate(policy, "crm", "look", ["crm"])).toEqual(evaluate(policy, "crm", "look"));
    expect(evaluate(policy, "erp", "look", ["erp"])).toMatchObject({ outcome: "FORBID" });
  });

  it("has a hash that covers the catalog, and not the order it was written in", () => {
    const reversed = { book: tools.book, look: tools.look };
    expect(createPolicy(parseCatalog({ platforms, tools: reversed })).hash).toBe(policy.hash);
    const changed = { ...tools, look: { ...tools.look, effect: "WRITE" } };
    expect(createPolicy(parseCatalog({ platforms, tools: changed })).hash).not.toBe(policy.hash);
    expect(evaluate(policy, "crm", "look").recorded.text).toContain(policy.hash);
  });
});

describe("reasonFor", () => {
  const policy = createPolicy(parseCatalog({ platforms, tools }));
  const reason = (platform: string, tool: string, allowed?: readonly string[]) => {
    const { outcome, rules } = evaluate(policy, platform, tool, allowed);
    return reasonFor(outcome, rules);
  };

  it("explains each outcome in a sentence, and for a FORBID what to do", () => {
    expect(reason("crm", "look")).toBe("The catalog lists the tool as a READ.");
    expect(reason("flights", "book")).toContain("a WRITE, which one of the approvers must approve");
    expect(reason("crm", "book")).toMatch(/lists no tool book on platform crm.* add the tool .*CATALOG/);
    expect(reason("crm", "look", ["flights"])).toBe(
      "The agent was not invited to platform crm, only to flights: an administrator can change that with updateAgent.",
    );
    expect(reason("crm", "nothing", ["flights"])).toMatch(/not invited to platform crm.*lists no tool nothing/);
  });

  it("is that of the rule, and says when its condition could not be evaluated", () => {
    expect(reasonOf({ ruleId: "mine", outcome: "FORBID", reason: "Not today." })).toBe("Not today.");
    expect(reasonOf({ ruleId: "mine", outcome: "FORBID", reason: "Not today.", failed: true })).toMatch(
      /^Not today\. \(.*rule mine/,
    );
    expect(reasonOf({ ruleId: "mine", outcome: "FORBID" })).toBe("Rule mine of the policy has the outcome FORBID.");
  });
});
