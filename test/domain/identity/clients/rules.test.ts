import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { CLIENT_RULES, parseClientRules } from "../../../../src/domain/identity/clients/rules.ts";
import { ConfigurationError } from "../../../../src/errors.ts";
import { canonicalize, type JsonValue } from "../../../../src/facts/canonical.ts";
import { hashText } from "../../../../src/facts/hash.ts";
import { identifier, request } from "./requests.ts";

const network = { ranges: ["192.0.2.0/24"], source: "https://example.com/ranges" };
const table = (rule: object, more: object = {}) => ({
  version: 7,
  networks: { lab: network },
  rules: [{ name: "probe", confidence: "HEADER", ...rule }],
  ...more,
});
const probe = { when: { userAgent: "^probe/(\\d{1,3})" } };

describe("the rules", () => {
  it("are known by the hash of their RFC 8785 text", async () => {
    const file = new URL("../../../../src/domain/identity/clients/rules.json", import.meta.url);
    const written = JSON.parse(await readFile(file, "utf8")) as JsonValue;
    expect(CLIENT_RULES.hash).toBe(hashText(canonicalize(written)));
    expect(parseClientRules(table(probe)).hash).not.toBe(CLIENT_RULES.hash);
    expect(parseClientRules(table(probe)).hash).not.toBe(parseClientRules(table(probe, { version: 8 })).hash);
  });

  it("can be others than those that come with the product", () => {
    const rules = parseClientRules(table({ when: { header: { "x-probe": "^v(\\d{1,3})$" }, userAgent: "^$" } }));
    const clients = identifier({ rules });
    expect(clients.identify(request({ "x-probe": "v12" }))).toEqual({
      name: "probe",
      version: "12",
      confidence: "HEADER",
      modelConfidence: "UNKNOWN",
      evidence: { "x-probe": "v12" },
      rules: rules.hash,
    });
    expect(clients.identify(request({ "x-probe": "v12", "user-agent": "x" }))).toMatchObject({ name: "unknown" });
  });

  it("know a network by version 4 and version 6 addresses", () => {
    const networks = { lab: { ...network, ranges: ["192.0.2.0/24", "2001:db8::/32", "203.0.113.9"] } };
    const rules = parseClientRules(
      table({ confidence: "NETWORK", when: { ...probe.when, network: "lab" } }, { networks }),
    );
    const clients = identifier({ rules });
    const from = (remoteAddress: string) => clients.identify(request({ "user-agent": "probe/1" }, { remoteAddress }));
    for (const inside of ["192.0.2.255", "::ffff:192.0.2.1", "2001:DB8::1", "203.0.113.9"]) {
      expect(from(inside)).toMatchObject({ name: "probe", confidence: "NETWORK", evidence: { network: "lab" } });
    }
    for (const outside of ["192.0.3.0", "2001:db9::1", "203.0.113.8", "", "lab", "fe80::1%eth0"]) {
      expect(from(outside)).toMatchObject({ name: "unknown", confidence: "UNKNOWN" });
    }
  });

  it.each([
    ["a name with spaces", table({ name: "a b", ...probe }), "rules.0.name"],
    ["a condition nobody knows", table({ when: { cookie: "^a" } }), "cookie"],
    ["credentials as a condition", table({ when: { header: { authorization: "^Bearer" } } }), "holds credentials"],
    ["a header in upper case", table({ when: { header: { "X-A": "^a" } } }), "when.header.X-A"],
    [
      "an unbounded pattern",
      table({ when: { userAgent: "^a+" } }),
      "rules.0: probe: the pattern ^a+ repeats without a bound",
    ],
    ["a broken pattern", table({ when: { originator: "^(" } }), "not a regular expression"],
    ["an unknown network", table({ confidence: "NETWORK", when: { ...probe.when, network: "x" } }), "no network x"],
    ["a bad range", table(probe, { networks: { lab: { ...network, ranges: ["192.0.2.0/33"] } } }), "192.0.2.0/33"],
    ["half a range", table(probe, { networks: { lab: { ...network, ranges: ["192.0.2.0/"] } } }), "192.0.2.0/"],
    ["a range without a source", table(probe, { networks: { lab: { ranges: ["192.0.2.1"] } } }), "source"],
    ["more confidence than a header gives", table({ confidence: "SIGNED", ...probe }), "make it HEADER"],
    ["less confidence than it earns", table({ when: { oauthClientId: "https://a.example" } }), "make it REGISTERED"],
    ["a network alone", table({ confidence: "NETWORK", when: { network: "lab" } }), "without any header"],
    ["headers that may all be absent", table({ when: { userAgent: "^a?" } }), "without any header"],
    ["no condition at all", table({ when: {} }), "without any header"],
    ["something that is no table", [], "expected object"],
  ])("with %s are refused", (_name, data, message) => {
    expect(() => parseClientRules(data)).toThrow(ConfigurationError);
    expect(() => parseClientRules(data)).toThrow(message);
  });

  it("that look at more headers than evidence holds are refused", () => {
    const header = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`x-${index}`, "^a"]));
    expect(() => parseClientRules(table({ when: { header } }))).toThrow("over 9 headers");
  });
});
