import { describe, expect, it } from "vitest";
import { closeReason } from "../../src/http/close-reason.ts";
import { originOf } from "../../src/http/origin.ts";

describe("the origin of a server", () => {
  it.each([
    [{ host: "127.0.0.1", port: 4000, secure: false }, "http://127.0.0.1:4000"],
    [{ host: "::1", port: 4000, secure: false }, "http://[::1]:4000"],
    [{ host: "2001:DB8:0::1", port: 4000, secure: true }, "https://[2001:db8::1]:4000"],
    [{ host: "::", port: 80, secure: false }, "http://[::]"],
    [{ host: "countersign.example", port: 443, secure: true }, "https://countersign.example"],
    [{ host: "countersign.example", port: 443, secure: false }, "http://countersign.example:443"],
  ])("%j is %s", (listening, origin) => {
    expect(originOf(listening)).toBe(origin);
  });
});

describe("the reason of a close frame", () => {
  it("is what it was while it fits", () => {
    expect(closeReason("Token expired")).toBe("Token expired");
    expect(closeReason("x".repeat(123))).toBe("x".repeat(123));
  });

  it.each(["x", "é", "€", "𝒜"])("has at most 123 bytes, and whole characters: %s", (character) => {
    const reason = closeReason(character.repeat(200));
    const whole = Math.floor(123 / Buffer.byteLength(character));
    expect(reason).toBe(character.repeat(whole));
  });
});
