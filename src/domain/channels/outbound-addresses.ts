import dns from "node:dns";
import http from "node:http";
import https from "node:https";
import { BlockList, isIP, isIPv6, type LookupFunction, type TcpNetConnectOpts } from "node:net";
import type { Duplex } from "node:stream";
import { RequestFilteringHttpAgent, RequestFilteringHttpsAgent } from "request-filtering-agent";

/** Agents that connect to public addresses, and to those that the operator permits. */
export interface Agents {
  readonly "http:": http.Agent;
  readonly "https:": https.Agent;
}

/** `host`: a name, or an address without brackets. */
type Options = http.ClientRequestArgs & TcpNetConnectOpts;
type Connected = (error: Error | null, stream: Duplex) => void;

/** @param permitted IP addresses or ranges (CIDR), of either family */
export function createAgents(permitted: readonly string[], options: https.AgentOptions): Agents {
  const list = listOf(permitted);

  /**
   * `given`, and what the filter lets through beside public addresses: those of the host that are permitted. It is not told the ranges, because it
   * warns whenever it compares an address with one of the other family.
   */
  function filtered(given: Options): { readonly allowIPAddressList: string[]; readonly own: Options } {
    const allowIPAddressList = [given.host ?? ""].filter((host) => isPermitted(list, host));
    const lookup: LookupFunction = (name, asked, done) =>
      dns.lookup(name, { ...asked, all: true }, (error, found = []) => {
        const addresses = found.map(({ address }) => address);
        allowIPAddressList.push(...addresses.filter((address) => isPermitted(list, address)));
        if (asked.all === true || error !== null) done(error, found);
        else done(null, found[0]?.address ?? "", found[0]?.family);
      });
    return { allowIPAddressList, own: { ...given, lookup } };
  }

  class HttpAgent extends http.Agent {
    override createConnection(given: Options, connected?: Connected) {
      const { allowIPAddressList, own } = filtered(given);
      return new RequestFilteringHttpAgent({ allowIPAddressList }).createConnection(own, connected);
    }
  }
  class HttpsAgent extends https.Agent {
    override createConnection(given: Options, connected?: Connected) {
      const { allowIPAddressList, own } = filtered(given);
      return new RequestFilteringHttpsAgent({ allowIPAddressList }).createConnection(own, connected);
    }
  }
  return { "http:": new HttpAgent(options), "https:": new HttpsAgent(options) };
}

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = "", bits] = range.split("/");
    const family = isIPv6(address) ? "ipv6" : "ipv4";
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

function isPermitted(list: BlockList, address: string): boolean {
  return isIP(address) !== 0 && list.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}
