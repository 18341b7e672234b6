import { describe, expect, it } from "vitest";
import { cookieOf, setCookie } from "../../src/http/sign-in/cookies.ts";

const read = (cookie: string | undefined, name = "a") =>
  cookieOf({ headers: cookie === undefined ? {} : { cookie } }, name);

describe("a cookie is read", () => {
  it.each([
    ["a=1", "1"],
    ["b=2; a=1;c", "1"],
    ["b=2;  a = 1 ; ;", "1"],
    ["a=x=y==", "x=y=="],
    ["a=", ""],
    ["a=%3B%20%25", "; %"],
    ["a=%zz", "%zz"],
  ])("%s", (header, value) => {
    expect(read(header)).toBe(value);
  });
});

describe("no cookie is read", () => {
  it.each([undefined, "", ";", "a", "b=1", "aa=1", "b=a=1", "A=1", "a=1; a=2", "a=1; a=1", "a=1; a="])(
    "%s",
    (header) => {
      expect(read(header)).toBeUndefined();
    },
  );

  it("by a name that every object has", () => {
    expect(read("a=1", "constructor")).toBeUndefined();
    expect(read("a=1", "__proto__")).toBeUndefined();
  });
});

describe("a cookie is set", () => {
  it("for this host alone, hidden from scripts and from other sites' POSTs, over https only where there is https", () => {
    const attributes = (line: string) => line.split("; ").slice(1).sort();
    const line = setCookie("https://example.com", "a", "x.y-z_", 60);
    expect(line).toMatch(/^a=x\.y-z_; /);
    expect(attributes(line)).toEqual(["HttpOnly", "Max-Age=60", "Path=/", "SameSite=Lax", "Secure"]);
    expect(attributes(setCookie("http://127.0.0.1:4000", "a", "", 0))).toEqual([
      "HttpOnly",
      "Max-Age=0",
      "Path=/",
      "SameSite=Lax",
    ]);
  });

  it("so that any value comes back as it was, and none becomes an attribute", () => {
    const value = "a; Domain=evil.example\r\nSet-Cookie: b=1 %41";
    const line = setCookie("https://example.com", "a", value, 60);
    expect(line.split("; ").slice(1)).toEqual(["Max-Age=60", "Path=/", "HttpOnly", "Secure", "SameSite=Lax"]);
    expect(read(line.split("; ", 1)[0])).toBe(value);
  });
});
