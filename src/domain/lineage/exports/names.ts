import type { LedgerId } from "../../../facts/entry.ts";

/**
 * `text` as a part of a URI that is a local name of PROV as well: every byte but of letters, digits, `-` and `_` as `%` and two digits.
 * Two texts are never written the same.
 */
export function uriPart(text: string): string {
  return [...Buffer.from(text, "utf8")]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[A-Za-z0-9_-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    })
    .join("");
}

export function organizationOf(ledger: LedgerId): string {
  return ledger.slice(0, ledger.indexOf("/"));
}

/** `countersign://<organization>/<platform>`: names what there is on a platform to those who collect lineage. */
export function namespaceOf(ledger: LedgerId, platform: string): string {
  return `countersign://${organizationOf(ledger)}/${uriPart(platform)}`;
}
