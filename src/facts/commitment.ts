import { bytesToHex } from "@noble/hashes/utils.js";
import { type CanonicalText, canonicalizeExtended, type JsonValue, NotCanonicalError } from "./canonical.ts";
import { Erasable } from "./erasable.ts";
import { commitTo } from "./payload.ts";
import { randomBytes16 } from "./random.ts";

/** A body as a domain writes it: JSON with erasable values in it. Keys whose value is undefined are left out. */
export type Unsealed = JsonValue | CanonicalText | Erasable | readonly Unsealed[] | UnsealedObject;
export interface UnsealedObject {
  readonly [key: string]: Unsealed | undefined;
}

/** What an entry is made of: the canonical body, and the canonical payload (empty when nothing in it is erasable). */
export interface Sealed {
  readonly body: string;
  readonly payload: string;
}

/** Replaces every erasable value of `body` by a commitment and collects salts and values under their dotted paths. */
export function seal(body: UnsealedObject): Sealed {
  const values: [path: string, stored: string][] = [];
  const write = (value: object, path: readonly string[]) => {
    if (!(value instanceof Erasable)) return undefined;
    if (path.some((key) => key.includes("."))) {
      throw new NotCanonicalError("an erasable value below a key with a dot in it cannot be found again");
    }
    const salt = randomBytes16();
    values.push([path.join("."), `{"salt":"${bytesToHex(salt)}","value":${value.text}}`]);
    return `{"commit":"${commitTo(salt, value.text)}"}`;
  };
  const text = canonicalizeExtended(body, { write, integersOnly: true });
  return { body: text, payload: payloadText(values) };
}

function payloadText(values: [path: string, stored: string][]): string {
  if (values.length === 0) return "";
  values.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${values.map(([path, stored]) => `${JSON.stringify(path)}:${stored}`).join(",")}}`;
}
