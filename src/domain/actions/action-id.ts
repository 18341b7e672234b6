import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { canonicalize } from "../../facts/canonical.ts";
import type { Principal } from "../identity/principal.ts";

/**
 * The id of the action that `idempotencyKey` names: of this account, acting for this person. A UUIDv8 (RFC 9562 5.8) out of SHA-256. Repeating a
 * proposal therefore meets the action it made, and the primary key alone keeps it from being made twice.
 */
export function actionIdOf({ organization, id, onBehalfOf }: Principal, idempotencyKey: string): string {
  const name = canonicalize([
    "countersign/action/v1",
    organization,
    id,
    onBehalfOf?.id ?? null,
    idempotencyKey.toLowerCase(),
  ]);
  const bytes = sha256(utf8ToBytes(name)).subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytesToHex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function isUuid(text: string): boolean {
  return UUID.test(text);
}
