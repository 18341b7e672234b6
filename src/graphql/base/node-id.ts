import { validate as isUuid, NIL as NIL_UUID } from "uuid";

/** Names nothing, ever (RFC 9562, section 5.9). */
export { NIL_UUID };

/**
 * Node ids are opaque to clients: base64url of `<type>:<ledger>:<key>`. They carry the ledger, so that an id of another
 * organization names nothing here, whatever numbers it holds.
 */
export function encodeNodeId(typename: string, id: string): string {
  return Buffer.from(`${typename}:${id}`).toString("base64url");
}

/** The two parts; both are empty when `nodeId` is not valid. */
export function decodeNodeId(nodeId: string): { readonly typename: string; readonly id: string } {
  const text = Buffer.from(nodeId, "base64url").toString();
  const colon = text.indexOf(":");
  const decoded = { typename: text.slice(0, Math.max(colon, 0)), id: text.slice(colon + 1) };
  // Only the one spelling we write is an id: two strings never name the same node.
  return colon > 0 && encodeNodeId(decoded.typename, decoded.id) === nodeId ? decoded : { typename: "", id: "" };
}

function isLowerCaseUuid(text: string): boolean {
  return isUuid(text) && text === text.toLowerCase();
}

/** `<ledger>:<key>` of a decoded id. */
export function splitKey(id: string): { readonly ledger: string; readonly key: string } {
  const colon = id.lastIndexOf(":");
  return { ledger: id.slice(0, Math.max(colon, 0)), key: id.slice(colon + 1) };
}

/**
 * The UUID in an id of `typename` in `ledger`. Also accepts a UUID as in the ledger's entries. For any other text it returns
 * a UUID that no object has, so that a lookup finds nothing.
 */
export function uuidOfNodeId(typename: string, ledger: string, id: string): string {
  const bare = id.toLowerCase();
  if (isUuid(bare)) return bare;
  const decoded = decodeNodeId(id);
  const { ledger: of, key } = splitKey(decoded.id);
  return decoded.typename === typename && of === ledger && isLowerCaseUuid(key) ? key : NIL_UUID;
}
