import { describe, expect, it } from "vitest";
import { identifyClient } from "../../../src/domain/identity/client-identity.ts";

const identify = (userAgent?: string) =>
  identifyClient(new Headers(userAgent === undefined ? {} : { "user-agent": userAgent }));

describe("identifyClient", () => {
  it.each([
    ["claude-code/2.1.66 (cli)", "claude-code", "2.1.66"],
    ["claude-cli/1.0.3", "claude-code", "1.0.3"],
    ["claude-code/2.1.66 (claude-desktop, 1.4.2)", "claude-desktop", undefined],
    ["claude-code/2.1.66 (claude-vscode, agent-sdk/0.3.1)", "claude-vscode", undefined],
    ["claude-code/2.1.66 (sdk-ts, agent-sdk/0.3.1)", "claude-agent-sdk", "0.3.1"],
    ["claude-code/2.1.66 (sdk-py)", "claude-agent-sdk", undefined],
    ["claude-code/2.1.66 (claude-desktops)", "claude-code", "2.1.66"],
    ["claude-desktop/0.14.10", "claude-desktop", "0.14.10"],
    [
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Claude/0.14.10 Chrome/138.0.7204.251 Electron/37.5.1 Safari/537.36",
      "claude-desktop",
      "0.14.10",
    ],
    ["Claude/0.14.10 Electron/37.5.1", "claude-desktop", "0.14.10"],
    [
      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Other/1.0 Chrome/138.0.7204.251 Electron/37.5.1 Safari/537.36",
      "browser",
      "138.0.7204.251",
    ],
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

  it.each([
    undefined,
    "",
    "x".repeat(100_000),
    "not claude-code/1.0",
    "claude-desktop",
    "Claude/1.0",
    "NotClaude/1 Electron/1",
  ])("answers UNKNOWN where nothing is known", (userAgent) => {
    const identity = identify(userAgent);
    expect(identity).toMatchObject({ name: "unknown", confidence: "UNKNOWN", modelConfidence: "UNKNOWN" });
    expect(JSON.stringify(identity).length).toBeLessThan(1000);
  });
});
