import { LRUCache } from "lru-cache";
import { type AddressSet, plainAddress } from "./addresses.ts";
import { headerOf, type RequestFacts } from "./request.ts";

/** Proxies of a chain that are considered at most. */
const MAX_HOPS = 32;
const MAX_HEADER = 4096;

/** Where a call came from; undefined when the connection has ended and its peer is forgotten. */
export type AddressOf = (request: RequestFacts) => string | undefined;

/**
 * Finds the address of a caller behind the proxies in `trusted`. From the nearest proxy to the farthest, the address that a
 * proxy reports is used as long as the proxy is trusted; untrusted peers are ignored. If X-Forwarded-For and Forwarded (RFC
 * 7239) contradict each other, both are ignored: a proxy that sets one passes the other on as the caller wrote it.
 */
export function createAddressOf(trusted: AddressSet): AddressOf {
  const known = new LRUCache<string, boolean>({ max: 1000 });
  const isTrusted = (address: string): boolean => {
    let found = known.get(address);
    if (found === undefined) {
      found = trusted.has(address);
      known.set(address, found);
    }
    return found;
  };
  /** `hops` are as in the header: the farthest first. */
  const walk = (peer: string, hops: readonly (string | undefined)[]): string => {
    let address = peer;
    for (const hop of hops.slice(-MAX_HOPS).reverse()) {
      if (!isTrusted(address) || hop === undefined) break;
      address = hop;
    }
    return address;
  };
  return (request) => {
    const peer = plainAddress(request.remoteAddress);
    if (peer === undefined || trusted.empty || !isTrusted(peer)) return peer;
    const list = headerOf(request, "x-forwarded-for");
    const forwarded = headerOf(request, "forwarded");
    const byList = list === undefined ? undefined : walk(peer, hopsOfList(list));
    const byForwarded = forwarded === undefined ? undefined : walk(peer, hopsOfForwarded(forwarded));
    if (byList !== undefined && byForwarded !== undefined && byList !== byForwarded) return peer;
    return byList ?? byForwarded ?? peer;
  };
}

function hopsOfList(header: string): (string | undefined)[] {
  return tail(header).split(",").map(nodeAddress);
}

/** The `for` parameter of each element (RFC 7239, section 4). */
function hopsOfForwarded(header: string): (string | undefined)[] {
  return splitOutsideQuotes(tail(header), ",").map((element) => {
    const pairs = splitOutsideQuotes(element, ";").map((pair) => /^\s*for=(.*)$/i.exec(pair)?.[1]);
    const [node, ...more] = pairs.filter((value) => value !== undefined);
    return node === undefined || more.length > 0 ? undefined : nodeAddress(node.trim().replace(/^"(.*)"$/, "$1"));
  });
}

/** The last whole elements of a header that is too long: the nearest proxies wrote them. */
function tail(header: string): string {
  if (header.length <= MAX_HEADER) return header;
  const end = header.slice(-MAX_HEADER);
  return end.slice(end.indexOf(",") + 1);
}

/** An address with or without a port; undefined for `unknown`, an obfuscated name, or anything else. */
function nodeAddress(text: string): string | undefined {
  const node = text.trim();
  const bracketed = /^\[([0-9a-f:.]{2,45})\](?::\d{1,5})?$/i.exec(node)?.[1];
  if (bracketed !== undefined) return plainAddress(bracketed);
  return plainAddress(/^([\d.]{7,15}):\d{1,5}$/.exec(node)?.[1] ?? node);
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = [];
  let quoted = false;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    if (quoted && text[at] === "\\") at++;
    else if (text[at] === '"') quoted = !quoted;
    else if (!quoted && text[at] === separator) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
}
