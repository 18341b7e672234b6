import { isIP, isIPv6 } from "node:net";
import { z } from "zod";

/** UTF-16 code units. */
const MAX_TEXT = 4_096;
const HOST_NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i;
const SECURE_ADDRESS = "has to be an https address, or an http address of this machine, without a password";
const LOOPBACK = /^(localhost|\[::1\]|127(\.\d{1,3}){3})$/;
/** The URL of a service that decisions depend on. Scheme https; http is allowed on loopback only. */
export const secureAddress = (value: string) =>
  z
    .url({ protocol: /^https?$/, error: SECURE_ADDRESS })
    .refine((url) => {
      if (url.length > MAX_TEXT || !URL.canParse(url)) return false;
      const { protocol, hostname, username, password, search, hash } = new URL(url);
      if (`${username}${password}${search}${hash}` !== "") return false;
      return protocol === "https:" || LOOPBACK.test(hostname);
    }, SECURE_ADDRESS)
    .default(value);
const MAX_HOSTS = 100;
const TEAMS_HOSTS = [
  "smba.trafficmanager.net",
  "smba.onyx.prod.teams.trafficmanager.net",
  "smba.infra.gcc.teams.microsoft.com",
  "smba.infra.gov.teams.microsoft.us",
  "smba.infra.dod.teams.microsoft.us",
];

/** Names of hosts, separated by commas. */
export const teamsHosts = z
  .string()
  .prefault(TEAMS_HOSTS.join(","))
  .transform((list) =>
    list
      .split(",")
      .map((host) => host.trim().toLowerCase())
      .filter(Boolean),
  )
  .refine((hosts) => hosts.length <= MAX_HOSTS && hosts.every((host) => HOST_NAME.test(host)), {
    error: `has to be at most ${MAX_HOSTS} host names such as smba.trafficmanager.net, separated by commas`,
  });

const MAX_RANGES = 100;
const RANGES = "has to be IP addresses or ranges such as 10.1.0.0/16, separated by commas";

/** IP addresses and ranges (CIDR notation, RFC 4632 and RFC 4291), separated by commas. */
export const addressRanges = z
  .string()
  .default("")
  .transform((list, context) => {
    const ranges = list
      .split(",")
      .map((range) => range.trim())
      .filter(Boolean);
    const bad = ranges.find((range) => {
      const [address = "", length, ...more] = range.split("/");
      const bits = isIPv6(address) ? 128 : 32;
      const isLength = length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= bits);
      return isIP(address) === 0 || !isLength || more.length > 0;
    });
    if (bad !== undefined) context.addIssue(`${RANGES}, not ${JSON.stringify(bad.slice(0, 200))}`);
    else if (ranges.length > MAX_RANGES) context.addIssue(`${RANGES}, at most ${MAX_RANGES}`);
    return bad !== undefined || ranges.length > MAX_RANGES ? z.NEVER : ranges;
  });
