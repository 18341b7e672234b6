/** Bytes that a close frame has room for beside its code: a control frame carries at most 125 (RFC 6455, section 5.5). */
const MAX_REASON = 123;

/** `text` cut at a character so that it fits into a close frame; a longer reason would be an error instead of a close. */
export function closeReason(text: string): string {
  const bytes = new TextEncoder().encodeInto(text, new Uint8Array(MAX_REASON));
  return text.slice(0, bytes.read);
}
