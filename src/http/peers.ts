import { addressSet, plainAddress } from "../domain/identity/clients/addresses.ts";

/** What an address is to this server. Addresses are as `Socket.remoteAddress` has them. */
export interface Peers {
  /** Whether it is a proxy that the operator named: one connection of it is not one client. */
  isProxy(address: string | undefined): boolean;
  /** Whether it may send requests without TLS: this machine, and proxies, which use TLS on their other side. */
  mayUsePlainHttp(address: string | undefined): boolean;
}

/** `trustedProxies` are networks in CIDR notation. Throws ConfigurationError naming one that is none. */
export function createPeers(trustedProxies: readonly string[]): Peers {
  const proxies = addressSet(trustedProxies);
  const thisMachine = addressSet(["127.0.0.0/8", "::1"]);
  const isIn = (set: typeof proxies, address: string | undefined) => {
    const plain = plainAddress(address);
    return plain !== undefined && set.has(plain);
  };
  return {
    isProxy: (address) => isIn(proxies, address),
    mayUsePlainHttp: (address) => isIn(thisMachine, address) || isIn(proxies, address),
  };
}

/** Whom connections are counted for: an IPv4 address, or the /64 network of an IPv6 address, all of which one client has. */
export function networkOf(address: string | undefined): string | undefined {
  const plain = plainAddress(address);
  if (plain === undefined || !plain.includes(":")) return plain;
  const [head = "", tail] = (plain.split("%")[0] ?? "").split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - before.length - after.length }, () => "0");
  const groups = [...before, ...zeros, ...after].slice(0, 4);
  return groups.map((group) => group.replace(/^0+(?=.)/, "")).join(":");
}
