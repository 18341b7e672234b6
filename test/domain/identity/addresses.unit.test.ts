import { describe, expect, it } from "vitest";
import {
  asciiDomain,
  DEFAULT_FOLDING,
  type Folding,
  foldedAddress,
  isAddress,
  NO_FOLDING,
} from "../../../src/domain/identity/addresses.ts";

describe("an address", () => {
  it.each([
    "ada@acme.example",
    "ADA.L+x@Acme.Example",
    '"ada l"@acme.example',
    "josé@bücher.example",
    "ada@xn--bcher-kva.example",
    "ada@[192.0.2.1]",
    "o'neill@acme.example",
    "山田@例え.example",
  ])("is %s", (text) => {
    expect(isAddress(text)).toBe(true);
  });

  it.each([
    "",
    "ada",
    "ada@",
    "@acme.example",
    "ada@acme",
    "ada..l@acme.example",
    ".ada@acme.example",
    "ada@acme.example,ben@acme.example",
    "Ada <ada@acme.example>",
    "ada@acme@acme.example",
    "ada(at work)@acme.example",
    "ada@-acme.example",
    "ada@acme_corp.example",
    "ada\n@acme.example",
    `${"a".repeat(400)}@acme.example`,
    `ada@${"a.".repeat(200)}example`,
  ])("is not %j", (text) => {
    expect(isAddress(text)).toBe(false);
    expect(foldedAddress(text, DEFAULT_FOLDING)).toBeUndefined();
  });
});

const same = (one: string, other: string, folding: Folding) =>
  foldedAddress(one, folding) === foldedAddress(other, folding);

describe("two spellings", () => {
  it.each([
    ["Ada@ACME.example", "ada@acme.example"],
    ["ａｄａ@acme.example", "ada@acme.example"],
    ["ada@acme.example.", "ada@acme.example"],
    ['"ada.l"@acme.example', "ada.l@acme.example"],
    ['"ad\\a"@acme.example', "ada@acme.example"],
    ["jose\u0301@acme.example", "josé@acme.example"],
    ["STRASSE@acme.example", "straße@acme.example"],
    ["ada@BÜCHER.example", "ada@xn--bcher-kva.example"],
  ])("%s and %s are one mailbox everywhere", (one, other) => {
    expect(same(one, other, NO_FOLDING)).toBe(true);
  });

  it.each([
    ["a.d.a+x@gmail.com", "ada@googlemail.com"],
    ["ada+x@outlook.com", "ada@outlook.com"],
    ["ada+x@icloud.com", "ada@me.com"],
    ["a-d_a@proton.me", "ada@protonmail.com"],
    ["ada+x@fastmail.com", "ada@fastmail.com"],
  ])("%s and %s are one at a provider that is known", (one, other) => {
    expect(same(one, other, DEFAULT_FOLDING)).toBe(true);
    expect(same(one, other, NO_FOLDING)).toBe(false);
  });

  it.each([
    ["ada+x@acme.example", "ada@acme.example"],
    ["a.da@outlook.com", "ada@outlook.com"],
    ["ada@outlook.com", "ada@hotmail.com"],
    ["ada@acme.example", "ada@acme.example.org"],
    ['"a b"@acme.example', "ab@acme.example"],
    ["josé@acme.example", "jose@acme.example"],
    ["+x@gmail.com", "+y@gmail.com"],
  ])("%s and %s are two", (one, other) => {
    expect(same(one, other, DEFAULT_FOLDING)).toBe(false);
  });

  it("are one or two at a domain of the organization's own as it says", () => {
    const own = (plus: boolean, dots: boolean): Folding => ({
      providers: true,
      domains: [{ domain: "acme.example", plus, dots }],
    });
    expect(same("ada+x@acme.example", "ada@ACME.example", own(true, false))).toBe(true);
    expect(same("a.da@acme.example", "ada@acme.example", own(true, false))).toBe(false);
    expect(same("a.da@acme.example", "ada@acme.example", own(false, true))).toBe(true);
    expect(same("ada+x@gmail.com", "ada@gmail.com", { ...own(true, true), providers: false })).toBe(false);
  });
});

it("has the ASCII form of a domain, and of nothing else", () => {
  expect(asciiDomain("Bücher.example")).toBe("xn--bcher-kva.example");
  for (const text of ["", "acme", "ada@acme.example", "acme example", "[192.0.2.1]", "-a.example"]) {
    expect(asciiDomain(text), text).toBeUndefined();
  }
});
