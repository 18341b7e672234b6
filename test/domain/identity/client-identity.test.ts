import { describe, expect, it } from "vitest";
import { identifyClient } from "../../../src/domain/identity/client-identity.ts";

const identify = (userAgent?: string) =>
  identifyClient(new Headers(userAgent === undefined ? {} : { "user-agent": userAgent }));

describe("identifyClient", () => {
  it.each([
    ["claude-code/2.1.66 (cli)", "claude-code", "2.1.66"],
    ["openai-mcp/1.0.0 (ChatGPT)", "chatgpt", "1.0.0"],
    ["openai-mcp/1.0.0 (Codex)", "codex", "1.0.0"],
    ["codex_cli_rs/0.157.0", "codex", "0.157.0"],
    ["curl/8.5.0", "curl", "8.5.0"],
    ["node", "node", undefined],
    ["countersign/0.1.0", "countersign", "0.1.0"],
    [
      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
      "browser",
      "140.0.0.0",
    ],
  ])("%s", (userAgent, name, version) => {
    const identity = identify(userAgent);
    expect(identity).toEqual({
      name,
      confidence: "HEADER",
      modelConfidence: "UNKNOWN",
      evidence: { "user-agent": userAgent },
      ...(version === undefined ? {} : { version }),
    });
    expect(identify(userAgent)).toBe(identity);
  });

  it.each([undefined, "", "x".repeat(100_000), "not claude-code/1.0"])(
    "answers UNKNOWN where nothing is known",
    (userAgent) => {
      const identity = identify(userAgent);
      expect(identity).toMatchObject({ name: "unknown", confidence: "UNKNOWN", modelConfidence: "UNKNOWN" });
      expect(JSON.stringify(identity).length).toBeLessThan(1000);
    },
  );
});
