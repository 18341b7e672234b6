import { hash } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { LedgerEntry } from "../../facts/entry.ts";
import { type FactKey, signatureProblem } from "../../facts/signature.ts";
import { signatureKeys } from "./keys.ts";

/** Entries that are known to be signed: about 2 MB. */
const MAX_KNOWN = 10_000;

/**
 * Whether a server of this installation signed `entry`: a decision may depend on it although others can write to the
 * database. False also for an entry that need not be signed, and for one with another hash than its text has.
 */
export type IsSigned = (entry: LedgerEntry) => boolean;

export interface SignatureCheck {
  readonly isSigned: IsSigned;
  /** Called with an entry that this process has signed and appended, so that it is not verified again. */
  readonly appended: (entry: LedgerEntry) => void;
}

export interface SignatureCheckOptions {
  /** The keys at the time; another array after a change. */
  readonly keys: () => readonly FactKey[];
}

/** Verifies entries before a decision depends on them, each once. */
export function createSignatureCheck({ keys }: SignatureCheckOptions): SignatureCheck {
  /** By ledger and hash of the text, which is computed here: rows of the database may have any. */
  const known = new LRUCache<string, true>({ max: MAX_KNOWN });
  let [listed, using] = [keys(), signatureKeys(keys())];

  function current() {
    if (keys() !== listed) [listed, using] = [keys(), signatureKeys(keys())];
    return using;
  }

  return {
    isSigned(entry) {
      const { entry: text, ledger, recordedAt, body } = entry;
      const computed = hashOf(text);
      if (entry.hash !== computed) return false;
      const key = `${ledger} ${computed}`;
      if (known.get(key) === true) return true;
      if (signatureProblem({ text, ledger, recordedAt, signature: body.signature }, current()) !== undefined) {
        return false;
      }
      known.set(key, true);
      return true;
    },
    appended: ({ ledger, entry }) => void known.set(`${ledger} ${hashOf(entry)}`, true),
  };
}

function hashOf(text: string): string {
  return hash("sha256", text, "hex");
}
