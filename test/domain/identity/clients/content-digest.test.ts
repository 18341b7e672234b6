import { hash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { contentDigestHolds } from "../../../../src/domain/identity/clients/content-digest.ts";
import { contentDigest } from "./requests.ts";

const body = '{"hello": "world"}';
const sha512 = `sha-512=:${hash("sha512", body, "base64")}:`;
const holds = (field: string, text = body) => contentDigestHolds(field, Buffer.from(text));

describe("a Content-Digest", () => {
  it.each([
    // RFC 9530, appendix B.1 and RFC 9421, section 2.1.
    "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
    contentDigest(body),
    sha512,
    `${contentDigest(body)}, ${sha512}`,
    `md5=:AAAA:, ${sha512}`,
  ])("%s holds", (field) => {
    expect(holds(field)).toBe(true);
    expect(holds(field, `${body} `)).toBe(false);
  });

  it.each([
    "",
    "md5=:Sd/dVLAcvNLSq16eXua5uQ==:",
    "sha-256=:AAAA:",
    "sha-256=text",
    "sha-256",
    "sha-256=(:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:)",
    `${contentDigest("other")}, ${sha512}`,
    "sha-256=:",
    `${sha512}, a="${"x".repeat(2000)}"`,
  ])("%j does not", (field) => {
    expect(holds(field)).toBe(false);
  });
});
