import { describe, expect, it } from "vitest";
import { createPeers, networkOf } from "../../src/http/peers.ts";

describe("plain HTTP", () => {
  const peers = createPeers(["10.0.0.0/8", "2001:db8:1::/48"]);

  it.each([
    ["127.0.0.1", true],
    ["127.9.9.9", true],
    ["::1", true],
    ["::ffff:127.0.0.1", true],
    ["10.1.2.3", true],
    ["::ffff:10.1.2.3", true],
    ["2001:db8:1::5", true],
    ["192.0.2.1", false],
    ["2001:db8:2::5", false],
    ["::", false],
    [undefined, false],
  ])("from %s: %s", (address, may) => {
    expect(peers.mayUsePlainHttp(address)).toBe(may);
  });

  it("comes from proxies that are not this machine", () => {
    expect(["127.0.0.1", "10.1.2.3", "192.0.2.1"].map(peers.isProxy)).toEqual([false, true, false]);
  });
});

describe("whom a connection is counted for", () => {
  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8:0:7:1:2:3:4", "2001:db8:0:7"],
    ["2001:db8:0:7::9", "2001:db8:0:7"],
    ["2001:DB8::9", "2001:db8:0:0"],
    ["::1", "0:0:0:0"],
    ["fe80::1%eth0", "fe80:0:0:0"],
    ["nonsense", undefined],
    [undefined, undefined],
  ])("of %s is %s", (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});
