import { describe, expect, it } from "vitest";
import { createReplays } from "../../../../src/domain/identity/clients/replays.ts";

describe("a nonce", () => {
  it("is new once while its signature lives, and per key", () => {
    const replays = createReplays();
    expect(replays.admit("key", "a", 110, 100)).toBe(true);
    expect(replays.admit("key", "a", 120, 110)).toBe(false);
    expect(replays.admit("other", "a", 110, 100)).toBe(true);
    expect(replays.admit("key", "a", 120, 111)).toBe(true);
  });

  it("is refused rather than remembered in place of a living one", () => {
    const replays = createReplays(2);
    expect(replays.admit("key", "a", 110, 100)).toBe(true);
    expect(replays.admit("key", "b", 120, 100)).toBe(true);
    expect(replays.admit("key", "c", 120, 105)).toBe(false);
    expect(replays.admit("other", "c", 120, 105)).toBe(true);
    expect(replays.admit("key", "b", 120, 111)).toBe(false);
    expect(replays.admit("key", "c", 120, 111)).toBe(true);
    expect(replays.admit("key", "d", 120, 111)).toBe(false);
  });
});
