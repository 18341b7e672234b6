/**
 * `path` as an address on `base`; undefined when it is none, or leads elsewhere. The whole address is what is safe to send
 * on: after normalisation a path may begin with two slashes, which alone would name another host.
 */
export function ownAddress(path: string, base: string): URL | undefined {
  if (!/^\/(?![/\\])[\x21-\x7e]*$/.test(path) || !URL.canParse(path, base)) return undefined;
  const address = new URL(path, base);
  return address.origin === new URL(base).origin ? address : undefined;
}
