import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
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
    const progress = startProgress("replay", 40, { stream });
    for (let done = 0; done < 40; done += 1) progress.advance();
    progress.finish();
    const lines = shown().trimEnd().split("\n");
    expect(lines).toHaveLength(10);
    expect(lines[0]).toBe("replay 4/40");
    expect(lines.at(-1)).toBe("replay 40/40");
  });

  it("learns the total late", () => {
    const { stream, shown } = screen(false);
    const progress = startProgress("verify", 1, { stream });
    progress.to(500, 1_000);
    progress.to(1_000);
    expect(shown()).toBe("verify 500/1000\nverify 1000/1000\n");
  });

  it("draws a bar on a terminal, and leaves the line empty", () => {
    const { stream, shown } = screen(true);
    const progress = startProgress("replay", 2, { stream, showAfter: 0 });
    progress.advance();
    const drawn = shown();
    expect(drawn).toMatch(/replay \[.*\] 1\/2/);
    progress.finish();
    // Back to the start of the line, cleared (ECMA-48 CHA, ED).
    expect(shown()).toContain("\u001b[1G\u001b[0J");
  });

  it("draws nothing for work that is over at once", () => {
    const { stream, shown } = screen(true);
    const progress = startProgress("export", 2, { stream });
    progress.to(1, 3);
    progress.advance();
    progress.finish();
    expect(shown()).toBe("");
  });

  it.each([
    ["shows nothing on a terminal while data goes to what may be the same terminal", "/dev/null", false],
    ["draws a bar on a terminal while data goes to a file", "ledger.jsonl", true],
  ])("%s", (_, name, drawn) => {
    const folder = mkdtempSync(path.join(tmpdir(), "progress-"));
    const data = openSync(path.resolve(folder, name), "w");
    try {
      const { stream, shown } = screen(true);
      const progress = startProgress("export", 1, { stream, showAfter: 0, data });
      progress.advance();
      progress.to(1, 1);
      progress.finish();
      expect(shown() !== "").toBe(drawn);
    } finally {
      closeSync(data);
      rmSync(folder, { recursive: true });
    }
  });

  it("prints a message on a line of its own above the bar", () => {
    const { stream, shown } = screen(true);
    const progress = startProgress("replay", 2, { stream, showAfter: 0 });
    progress.advance();
    progress.say("the server is away");
    const [above, below = ""] = shown().split("the server is away\n");
    // The line is cleared first (ECMA-48 EL), and the bar follows below.
    expect(above?.endsWith("\u001b[2K")).toBe(true);
    expect(below).toMatch(/replay \[.*\] 1\/2/);
    progress.finish();
    progress.say("after the end");
    expect(shown().endsWith("after the end\n")).toBe(true);
  });

  it("prints a message as a line where no bar is drawn", () => {
    for (const isTTY of [false, true]) {
      const { stream, shown } = screen(isTTY);
      startProgress("replay", 2, { stream }).say("the server is away");
      expect(shown()).toBe("the server is away\n");
    }
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
