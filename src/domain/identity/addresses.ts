import { domainToASCII } from "node:url";
import { LRUCache } from "lru-cache";
import { canonicalize_quoted_string, parse } from "smtp-address-parser";
import providers from "./address-providers.json" with { type: "json" };

/** How addresses of one domain are spelt in several ways. */
export interface FoldedDomain {
  /** In ASCII (RFC 5891), in lower case. */
  readonly domain: string;
  /** Whether what follows a plus sign names no other mailbox. */
  readonly plus: boolean;
  /** Whether dots before the at sign name no other mailbox. */
  readonly dots: boolean;
}

/** Which spellings of an address an organization takes for one mailbox, beside those that always are. */
export interface Folding {
  /** Whether those of the providers in `address-providers.json` are. */
  readonly providers: boolean;
  /** Further domains. */
  readonly domains: readonly FoldedDomain[];
}

export const DEFAULT_FOLDING: Folding = { providers: true, domains: [] };
/** Only what is one mailbox everywhere. */
export const NO_FOLDING: Folding = { providers: false, domains: [] };

/** The rule of a domain: what is left out before the at sign, and the domain that others stand for. */
interface Rule {
  readonly domain: string;
  readonly plus: boolean;
  readonly ignored: string;
}

const PROVIDERS: ReadonlyMap<string, Rule> = new Map(
  providers.flatMap(({ domains, plus, ignored = "" }) =>
    domains.map((domain) => [domain, { domain: domains[0] ?? domain, plus, ignored }] as const),
  ),
);

/** A mailbox, both parts in the form by which they are compared. */
interface Mailbox {
  readonly localPart: string;
  readonly domain: string;
}

interface Parsed {
  readonly localPart: { readonly DotString?: string; readonly QuotedString?: string };
  readonly domainPart: { readonly DomainName?: string; readonly AddressLiteral?: string };
}

/** Parsing takes a quarter of a millisecond, and a few people make most calls. Null: it is none. */
const parsed = new LRUCache<string, { readonly mailbox: Mailbox | null }>({ max: 5_000 });

/** Whether `text` is an address: a mailbox of RFC 5321, section 4.1.2, of Unicode too (RFC 6531), at a domain with a dot. */
export function isAddress(text: string): boolean {
  return mailboxOf(text) !== undefined;
}

/**
 * The form by which two addresses are compared: those of one mailbox have the same. Never differ by case, width, ligatures, quotes
 * that are not needed, and whether the domain is spelt in ASCII; others as `folding` says. Undefined: it is no address.
 */
export function foldedAddress(text: string, folding: Folding): string | undefined {
  const mailbox = mailboxOf(text);
  if (mailbox === undefined) return undefined;
  const { plus, ignored, domain } = ruleOf(mailbox.domain, folding);
  let { localPart } = mailbox;
  const sign = localPart.indexOf("+");
  if (plus && sign > 0) localPart = localPart.slice(0, sign);
  if (ignored !== "")
    localPart = Array.from(localPart)
      .filter((one) => !ignored.includes(one))
      .join("");
  // A local part that has nothing but what is ignored names nobody: it is compared as it is.
  return `${localPart === "" ? mailbox.localPart : localPart}@${domain}`;
}

/** The ASCII form of a domain name in lower case (RFC 5891); undefined: it is none that an address can have. */
export function asciiDomain(domain: string): string | undefined {
  const ascii = mailboxOf(`a@${domain}`)?.domain;
  return ascii?.startsWith("[") ? undefined : ascii;
}

function ruleOf(domain: string, { providers, domains }: Folding): Rule {
  const own = domains.find((one) => one.domain === domain);
  if (own !== undefined) return { domain, plus: own.plus, ignored: own.dots ? "." : "" };
  const known = providers ? PROVIDERS.get(domain) : undefined;
  return known ?? { domain, plus: false, ignored: "" };
}

/** UTF-16 code units: RFC 3696, erratum 1690, has 254; a Unicode domain can be shorter than its ASCII form. */
const MAX_ADDRESS = 320;

function mailboxOf(text: string): Mailbox | undefined {
  if (text.length > MAX_ADDRESS) return undefined;
  let known = parsed.get(text);
  if (known === undefined) {
    known = { mailbox: read(text) ?? null };
    parsed.set(text, known);
  }
  return known.mailbox ?? undefined;
}

function read(text: string): Mailbox | undefined {
  const folded = text.normalize("NFKC").trim().toUpperCase().toLowerCase().normalize("NFKC");
  let address: Parsed;
  try {
    // A domain with its root, which the DNS has and RFC 5321 has not.
    address = parse(folded.replace(/\.$/, "")) as Parsed;
  } catch {
    // The parser throws plain errors: syntax, too many labels, too long.
    return undefined;
  }
  const { DotString, QuotedString } = address.localPart;
  const { DomainName, AddressLiteral } = address.domainPart;
  const localPart = DotString ?? (QuotedString === undefined ? undefined : canonicalize_quoted_string(QuotedString));
  // The URL Standard's domainToASCII gives "" for what is no domain, and numbers for IPv4 addresses.
  const domain = DomainName === undefined ? AddressLiteral : domainToASCII(DomainName);
  if (localPart === undefined || domain === undefined || domain === "") return undefined;
  return { localPart: unquoted(localPart), domain };
}

/** `"a.b"` is `a.b`: quotes that are not needed (RFC 5321, section 4.1.2). */
function unquoted(localPart: string): string {
  const inner = /^"(.*)"$/su.exec(localPart)?.[1];
  if (inner === undefined) return localPart;
  return /^[^\s"\\.,:;<>()[\]@]+(?:\.[^\s"\\.,:;<>()[\]@]+)*$/u.test(inner) ? inner : localPart;
}
