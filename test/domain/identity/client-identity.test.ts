import { describe, expect, it } from "vitest";
import { CLIENT_RULES } from "../../../src/domain/identity/clients/rules.ts";
import { identifier, request } from "./clients/requests.ts";

const clients = identifier();
const ANTHROPIC = "160.79.107.250";
const DESKTOP =
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Claude/0.14.10 Chrome/138.0.7204.251 Electron/37.5.1 Safari/537.36";
const BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
const CLAUDE_AI = "https://claude.ai/oauth/mcp-oauth-client-metadata";
const CLAUDE_CODE = "https://claude.ai/oauth/claude-code-client-metadata";

interface Case {
  readonly headers: Readonly<Record<string, string>>;
  readonly from?: string;
  readonly clientId?: string;
  /** `name`, with `/surface` and `@version` where known. */
  readonly is: string;
  readonly confidence?: string;
}

const agent = (userAgent: string, is: string, more: Partial<Case> = {}): Case => ({
  headers: { "user-agent": userAgent },
  is,
  ...more,
});

const cases: readonly Case[] = [
  agent("claude-code/2.1.66 (cli)", "claude-code/cli@2.1.66"),
  agent("claude-cli/1.0.83 (external, cli)", "claude-code/cli@1.0.83"),
  agent("claude-cli/1.0.3", "claude-code@1.0.3"),
  agent("claude-code/2.1.66 (claude-desktop, 1.4.2)", "claude-desktop/desktop"),
  agent("claude-code/2.1.66 (claude-desktop)", "claude-desktop/desktop"),
  agent("claude-code/2.1.66 (claude-desktops)", "claude-code@2.1.66"),
  agent("claude-code/2.1.66 (claude-vscode, agent-sdk/0.3.1)", "claude-code/vscode@2.1.66"),
  agent("claude-code/2.1.66 (sdk-ts, agent-sdk/0.3)", "claude-code/sdk@2.1.66"),
  agent("claude-code/2.1.66 (sdk-py)", "claude-code/sdk@2.1.66"),
  agent("claude-desktop/0.14.10", "claude-desktop/desktop@0.14.10"),
  agent(DESKTOP, "claude-desktop/desktop@0.14.10"),
  agent("Claude/0.14.10 Electron/37.5.1", "claude-desktop/desktop@0.14.10"),
  agent("Claude-User", "claude.ai"),
  { headers: { "user-agent": "Claude-User", "x-anthropic-client": "ClaudeAI" }, is: "claude.ai" },
  { headers: { "x-anthropic-client": "ClaudeCode" }, is: "claude-code" },
  { headers: { "x-anthropic-client": "Cowork" }, is: "claude.ai/cowork" },
  { headers: { "x-anthropic-client": "ClaudeDesign" }, is: "claude.ai/design" },
  {
    headers: { "user-agent": "Claude-User", "x-anthropic-client": "ClaudeAI" },
    from: ANTHROPIC,
    is: "claude.ai",
    confidence: "NETWORK",
  },
  { headers: { "x-anthropic-client": "Cowork" }, from: ANTHROPIC, is: "claude.ai/cowork", confidence: "NETWORK" },
  { headers: { "x-anthropic-client": "ClaudeCode" }, from: ANTHROPIC, is: "claude-code", confidence: "NETWORK" },
  agent("Claude-User", "claude.ai", { from: `::ffff:${ANTHROPIC}`, confidence: "NETWORK" }),
  // The network speaks for whoever sends from it, and only for them.
  agent("Claude-User", "claude.ai", { from: "160.79.112.1" }),
  agent("cursor/1.7", "cursor@1.7", { from: ANTHROPIC }),
  { headers: { "user-agent": "curl/8.5.0", "x-anthropic-client": "ClaudeAI" }, from: ANTHROPIC, is: "claude.ai" },
  // The network agrees with one header, and another speaks of somebody else.
  { headers: { "user-agent": "Claude-User", originator: "codex_vscode" }, from: ANTHROPIC, is: "claude.ai" },
  {
    headers: { "x-anthropic-client": "ClaudeCode", originator: "codex_vscode" },
    from: ANTHROPIC,
    is: "claude-code",
  },
  agent("Claude-User-Agent/1.0", "unknown", { from: ANTHROPIC, confidence: "UNKNOWN" }),
  agent("Claude-User (compatible; +Claude-User@anthropic.com)", "claude.ai", {
    from: ANTHROPIC,
    confidence: "NETWORK",
  }),
  agent("Claude-User/1.0; +support", "claude.ai@1.0", { from: ANTHROPIC, confidence: "NETWORK" }),
  { headers: {}, from: ANTHROPIC, is: "unknown", confidence: "UNKNOWN" },
  agent("Claude-User", "claude.ai", { clientId: CLAUDE_AI, confidence: "REGISTERED" }),
  { headers: {}, clientId: CLAUDE_CODE, is: "claude-code", confidence: "REGISTERED" },
  agent("claude-code/2.1.81 (cli)", "claude-code/cli@2.1.81", { clientId: CLAUDE_CODE, confidence: "REGISTERED" }),
  // The registered client is Claude Code; which face of it, a header adds.
  agent("claude-code/2.1.81 (claude-desktop, 1.4.2)", "claude-code/desktop@2.1.81", {
    clientId: CLAUDE_CODE,
    confidence: "REGISTERED",
  }),
  agent("curl/8.5.0", "claude-code", { clientId: CLAUDE_CODE, confidence: "REGISTERED" }),
  agent("curl/8.5.0", "curl@8.5.0", { clientId: `${CLAUDE_CODE}/` }),
  agent("openai-mcp/1.0.0 (ChatGPT)", "chatgpt@1.0.0"),
  agent("openai-mcp/1.0.0 (Codex)", "codex@1.0.0"),
  agent("openai-mcp/1.0.0", "openai-mcp@1.0.0"),
  agent("codex-mcp-client/0.157.0", "codex@0.157.0"),
  agent("codex_cli_rs/0.38.0 (Ubuntu 24.04.2 LTS; x86_64) WindowsTerminal", "codex/cli@0.38.0"),
  agent("codex-tui/0.146.0", "codex/cli@0.146.0"),
  { headers: { "user-agent": "codex-mcp-client/0.157.0", originator: "codex_vscode" }, is: "codex/vscode@0.157.0" },
  { headers: { originator: "codex_cli_rs" }, is: "codex/cli" },
  agent("GeminiCLI/v0.9.0/gemini-3-flash (linux; x64)", "gemini-cli/cli@0.9.0"),
  agent("GeminiCLI-a2a-server/0.9.0/gemini-3-pro (darwin; arm64)", "gemini-cli/cli@0.9.0"),
  agent("Cursor/1.7.44", "cursor@1.7.44"),
  agent("Visual Studio Code/1.101.2", "vscode@1.101.2"),
  agent("Visual Studio Code - Insiders/1.124.0-insider", "vscode@1.124.0-insider"),
  agent("grok-connectors-manager/0.1.0", "grok@0.1.0"),
  agent("Slack-MCP-Client/1.0", "slack@1.0"),
  agent("MicrosoftCopilotStudio-AgenticLoop/1.0", "copilot-studio@1.0"),
  agent("python-httpx/0.28.1", "python@0.28.1"),
  agent("Python/3.12 aiohttp/3.13.3", "python@3.12"),
  agent("curl/8.5.0", "curl@8.5.0"),
  agent("node", "node"),
  agent("countersign/0.1.0", "countersign@0.1.0"),
  agent(BROWSER, "browser/web@140.0.0.0"),
  agent(BROWSER.replace("Chrome", "Other/1.0 Chrome"), "browser/web@140.0.0.0"),
  agent("not claude-code/1.0", "unknown", { confidence: "UNKNOWN" }),
  agent("claude-desktop", "unknown", { confidence: "UNKNOWN" }),
  agent("Claude/1.0", "unknown", { confidence: "UNKNOWN" }),
  agent("NotClaude/1 Electron/1", "unknown", { confidence: "UNKNOWN" }),
];

describe("a client", () => {
  it.each(cases)("$headers $from $clientId is $is", ({ headers, from, clientId, is, confidence = "HEADER" }) => {
    const facts = request(headers, from === undefined ? {} : { remoteAddress: from });
    const by = { organization: "acme", ...(clientId === undefined ? {} : { clientId }) };
    const [, name, , surface, , version] = /^([^/@]+)(\/([^@]+))?(@(.+))?$/.exec(is) ?? [];
    const identity = clients.identify(facts, by);
    expect(identity).toEqual({
      name,
      ...(surface === undefined ? {} : { surface }),
      ...(version === undefined ? {} : { version }),
      confidence,
      modelConfidence: "UNKNOWN",
      evidence: {
        ...headers,
        ...(from?.endsWith(ANTHROPIC) ? { network: "anthropic" } : {}),
        ...(clientId === undefined ? {} : { "oauth-client-id": clientId }),
      },
      rules: CLIENT_RULES.hash,
    });
    expect(clients.identify(facts, by)).toBe(identity);
  });

  it("is not known by what it merely claims, which is recorded all the same", () => {
    const headers = {
      "user-agent": "curl/8.5.0",
      "countersign-model": "google/gemini-3-flash",
      "countersign-mcp-client": "claude-code/2.1.66",
      "signature-agent": '"https://chatgpt.com"',
      authorization: "Bearer secret",
      cookie: "session=secret",
      dpop: "secret",
    };
    const identity = clients.identify(request(headers), { organization: "acme" });
    expect(identity).toMatchObject({ name: "curl", confidence: "HEADER", modelConfidence: "UNKNOWN" });
    expect(identity).not.toHaveProperty("model");
    const { authorization: _a, cookie: _c, dpop: _d, ...claims } = headers;
    expect(identity).toHaveProperty("evidence", claims);
  });

  it("behind a trusted proxy is judged by its own address", () => {
    const headers = { "user-agent": "Claude-User", "x-forwarded-for": ANTHROPIC };
    const trusting = identifier({ trustedProxies: ["198.51.100.0/24"] });
    expect(trusting.identify(request(headers))).toMatchObject({ confidence: "NETWORK" });
    expect(clients.identify(request(headers))).toMatchObject({ confidence: "HEADER" });
  });
});

describe("hostile headers", () => {
  const bombs = [
    "x".repeat(100_000),
    `Mozilla/5.0 ${"Claude/1 ".repeat(10_000)}`,
    `claude-code/${"1".repeat(100_000)}`,
    `claude-code/1 (${"agent-sdk".repeat(10_000)}`,
    `claude-code/1 (cli\ud800`,
    "claude-code/1 (cli) \u00ff\u0080\u0000",
    "\ud800".repeat(600),
    `${"a".repeat(511)}\u{1f600}`,
  ];

  it.each(bombs)("are cut, and cost little (%#)", async (bomb) => {
    for (const name of ["user-agent", "originator", "x-anthropic-client", "signature-agent", "countersign-model"]) {
      const started = performance.now();
      const identity = await clients.identify(request({ [name]: bomb }, { remoteAddress: bomb, url: bomb }));
      expect(performance.now() - started).toBeLessThan(1000);
      const [evidence = ""] = Object.values(identity.evidence);
      expect(evidence.length).toBeLessThanOrEqual(512);
      expect(evidence.isWellFormed()).toBe(true);
      expect(JSON.stringify(identity).length).toBeLessThan(5000);
    }
  });

  it("never make it throw, whatever they are", async () => {
    const names = ["signature", "signature-input", "signature-agent", "user-agent", "forwarded", "x-forwarded-for"];
    const parts = [
      '"',
      "sig1",
      "=",
      "(",
      ")",
      ";",
      ",",
      ":",
      "\\",
      "@method",
      'tag="web-bot-auth"',
      "keyid",
      "é",
      "\ud800",
    ];
    // A linear congruential generator: the same headers each time.
    let state = 42;
    const next = (below: number) => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      return state % below;
    };
    const trusting = identifier({ trustedProxies: ["0.0.0.0/0", "::/0"] });
    for (let round = 0; round < 3000; round++) {
      const entries = names.map((name) => {
        const text = Array.from({ length: next(12) }, () => parts[next(parts.length)]).join("");
        return [name, text] as const;
      });
      const facts = request(Object.fromEntries(entries.filter(() => next(4) > 0)), { remoteAddress: "192.0.2.1" });
      const identity = await trusting.identify(facts, { organization: "acme", clientId: parts[next(parts.length)] });
      expect(identity.confidence).not.toBe("SIGNED");
      expect(trusting.addressOf(facts)).toBe("192.0.2.1");
    }
  });
});
