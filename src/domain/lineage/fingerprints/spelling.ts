import { hash } from "node:crypto";

/** A whole number below 2^48 that is another one for each way to write a value, in this process: the text itself is not kept once it was compared. */
export function spellingOf(text: string): number {
  return hash("sha256", text, "buffer").readUIntBE(0, 6);
}
