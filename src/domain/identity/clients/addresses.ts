import { BlockList, isIP } from "node:net";
import { ConfigurationError } from "../../../errors.ts";

/** An IP address as text, an IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`) as the IPv4 address; undefined for anything else. */
export function plainAddress(text: string | undefined): string | undefined {
  if (text === undefined || text.length > 45) return undefined;
  const mapped = /^::ffff:([\d.]{7,15})$/i.exec(text)?.[1];
  const address = mapped ?? text;
  return isIP(address) === 0 ? undefined : address.toLowerCase();
}

/** Addresses and ranges of them. */
export interface AddressSet {
  readonly empty: boolean;
  /** `address` is one that `plainAddress` returned. */
  has(address: string): boolean;
}

/** The set of `ranges`, each an address or a CIDR range (RFC 4632, RFC 4291). Throws ConfigurationError naming a bad one. */
export function addressSet(ranges: readonly string[]): AddressSet {
  const list = new BlockList();
  for (const range of ranges) {
    const [text = "", bits, ...more] = range.split("/");
    const address = plainAddress(text);
    if (address === undefined || more.length > 0) throw new ConfigurationError(`${range} is no range of addresses`);
    const family = familyOf(address);
    const most = family === "ipv4" ? 32 : 128;
    const length = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
    if (!(length <= most)) throw new ConfigurationError(`${range} is no range of addresses`);
    list.addSubnet(address, length, family);
  }
  return {
    empty: ranges.length === 0,
    has: (address) => list.check(address, familyOf(address)),
  };
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return address.includes(":") ? "ipv6" : "ipv4";
}
