import { once } from "node:events";
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { startProgress, whileWaiting } from "../../src/cli/progress.ts";

function screen(isTTY: boolean) {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 120 });
  return { stream, shown: () => String(stream.read() ?? "") };
}

describe("startProgress", () => {
  it("prints a plain line each tenth where there is no terminal", () => {
    const { stream, shown } = screen(false);
    const progress = startProgress("replay", 40, stream);
    for (let done = 0; done < 40; done += 1) progress.advance();
    progress.finish();
    const lines = shown().trimEnd().split("\n");
    expect(lines).toHaveLength(10);
    expect(lines[0]).toBe("replay 4/40");
    expect(lines.at(-1)).toBe("replay 40/40");
  });

  it("learns the total late", () => {
    const { stream, shown } = screen(false);
    const progress = startProgress("verify", 1, stream);
    progress.to(500, 1_000);
    progress.to(1_000);
    expect(shown()).toBe("verify 500/1000\nverify 1000/1000\n");
  });

  it("draws a bar on a terminal, and leaves the line empty", () => {
    const { stream, shown } = screen(true);
    const progress = startProgress("replay", 2, stream, 0);
    progress.advance();
    const drawn = shown();
    expect(drawn).toMatch(/replay \[.*\] 1\/2/);
    progress.finish();
    // Back to the start of the line, cleared (ECMA-48 CHA, EL), and the cursor shown again.
    expect(shown()).toContain("\u001b[0K");
  });

  it("draws nothing for work that is over at once", () => {
    const { stream, shown } = screen(true);
    const progress = startProgress("export", 2, stream);
    progress.to(1, 3);
    progress.advance();
    progress.finish();
    expect(shown()).toBe("");
  });
});

describe("whileWaiting", () => {
  it("turns on a terminal until the work is done, and leaves the line empty", async () => {
    const { stream, shown } = screen(true);
    const work = Promise.withResolvers<number>();
    const waiting = whileWaiting("verify", work.promise, stream);
    await once(stream, "readable");
    work.resolve(7);
    expect(await waiting).toBe(7);
    const drawn = shown();
    expect(drawn).toMatch(/^\rverify - 0s/);
    expect(drawn.endsWith("\r\u001b[K")).toBe(true);
  });

  it("passes a failure on", async () => {
    const { stream } = screen(true);
    await expect(whileWaiting("verify", Promise.reject(new Error("no")), stream)).rejects.toThrow("no");
  });

  it("writes nothing where there is no terminal", async () => {
    const { stream, shown } = screen(false);
    expect(await whileWaiting("verify", Promise.resolve(7), stream)).toBe(7);
    expect(shown()).toBe("");
  });
});
