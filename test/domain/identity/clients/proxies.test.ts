import { describe, expect, it } from "vitest";
import { ConfigurationError } from "../../../../src/errors.ts";
import { identifier, request } from "./requests.ts";

const clients = identifier({ trustedProxies: ["10.0.0.0/8", "2001:db8:1::/48", "192.0.2.1"] });
const PROXY = "10.0.0.1";
const CALLER = "203.0.113.9";

function addressOf(headers: Record<string, string>, remoteAddress: string | undefined = PROXY): string | undefined {
  return clients.addressOf(request(headers, { remoteAddress }));
}

describe("the address of a caller", () => {
  it.each([
    ["of a direct connection", {}, CALLER, CALLER],
    ["of a direct connection in IPv6 clothes", {}, `::ffff:${CALLER}`, CALLER],
    ["that only claims to be elsewhere", { "x-forwarded-for": "8.8.8.8", forwarded: "for=8.8.8.8" }, CALLER, CALLER],
    ["of a proxy that says nothing", {}, PROXY, PROXY],
    ["behind one proxy", { "x-forwarded-for": CALLER }, PROXY, CALLER],
    ["behind one proxy, in IPv6 clothes", { "x-forwarded-for": CALLER }, `::ffff:${PROXY}`, CALLER],
    ["behind three", { "x-forwarded-for": `${CALLER}, 192.0.2.1,10.9.9.9` }, PROXY, CALLER],
    ["behind an untrusted proxy", { "x-forwarded-for": `${CALLER}, 198.51.100.1, 10.9.9.9` }, PROXY, "198.51.100.1"],
    ["that made up hops", { "x-forwarded-for": `127.0.0.1, 8.8.8.8, ${CALLER}` }, PROXY, CALLER],
    ["with a port", { "x-forwarded-for": `${CALLER}:4711` }, PROXY, CALLER],
    ["of version 6 with a port", { "x-forwarded-for": "[2001:db8:2::1]:4711" }, PROXY, "2001:db8:2::1"],
    ["of version 6", { "x-forwarded-for": "2001:DB8:2::1, 2001:db8:1::5" }, PROXY, "2001:db8:2::1"],
    ["that is no address", { "x-forwarded-for": "unknown" }, PROXY, PROXY],
    ["hidden behind a name", { "x-forwarded-for": `${CALLER}, _hidden, 10.9.9.9` }, PROXY, "10.9.9.9"],
    ["in an empty list", { "x-forwarded-for": " , " }, PROXY, PROXY],
    ["in RFC 7239", { forwarded: `For=${CALLER};proto=https;by=${PROXY}` }, PROXY, CALLER],
    ["in RFC 7239, twice", { forwarded: `for=${CALLER}, for="10.9.9.9:80"` }, PROXY, CALLER],
    ["in RFC 7239, version 6", { forwarded: 'proto=https;for="[2001:db8:2::1]:4711"' }, PROXY, "2001:db8:2::1"],
    ["in RFC 7239, unknown", { forwarded: "for=unknown" }, PROXY, PROXY],
    ["in RFC 7239, two in one", { forwarded: `for=8.8.8.8;for=${CALLER}` }, PROXY, PROXY],
    ["in quotes that never end", { forwarded: `for=8.8.8.8, for="${CALLER}` }, PROXY, PROXY],
    ["told twice alike", { forwarded: `for=${CALLER}`, "x-forwarded-for": CALLER }, PROXY, CALLER],
    ["told in two ways", { forwarded: "for=8.8.8.8", "x-forwarded-for": CALLER }, PROXY, PROXY],
    ["after endless made up hops", { "x-forwarded-for": `${"10.1.1.1,".repeat(9000)}${CALLER}` }, PROXY, CALLER],
    [
      "beyond more proxies than anybody has",
      { "x-forwarded-for": `${CALLER}${",10.1.1.1".repeat(40)}` },
      PROXY,
      "10.1.1.1",
    ],
    ["after one endless hop", { "x-forwarded-for": `${"x".repeat(10_000)},${CALLER}` }, PROXY, CALLER],
  ])("%s", (_name, headers, peer, expected) => {
    expect(addressOf(headers, peer)).toBe(expected);
  });

  it("is unknown once the connection is gone", () => {
    expect(clients.addressOf(request({ "x-forwarded-for": CALLER }, { remoteAddress: undefined }))).toBeUndefined();
  });

  it.each(["10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8", "2001:db8::/129", "proxy", "", "10.0.0/8", "10.0.0.0/"])(
    "behind %j cannot be found: no proxy is there",
    (range) => {
      expect(() => identifier({ trustedProxies: [range] })).toThrow(ConfigurationError);
    },
  );
});
