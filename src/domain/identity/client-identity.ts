import { LRUCache } from "lru-cache";
import type { ClientIdentity } from "./principal.ts";

/** Where headers are looked up, names in lower case: a fetch `Headers` is one. */
export interface HeaderSource {
  get(name: string): string | null | undefined;
}

interface ClientRule {
  readonly name: string;
  /** Tried on the User-Agent; the first group is the version. */
  readonly userAgent: RegExp;
}

/** The first rule that matches names the client: the particular ones come first. Whoever sends a header may write anything into it. */
export const CLIENT_RULES: readonly ClientRule[] = [
  // Programs built on Claude Code send its name and version, and say in the comment what they are themselves.
  { name: "claude-desktop", userAgent: /^claude-(?:code|cli)\/[\w.+-]{1,40} \(claude-desktop\b/i },
  { name: "claude-vscode", userAgent: /^claude-(?:code|cli)\/[\w.+-]{1,40} \(claude-vscode\b/i },
  {
    name: "claude-agent-sdk",
    userAgent: /^claude-(?:code|cli)\/[\w.+-]{1,40} \([^)]{0,100}\bagent-sdk\/([\w.+-]{1,40})/i,
  },
  { name: "claude-agent-sdk", userAgent: /^claude-(?:code|cli)\/[\w.+-]{1,40} \(sdk-\w/i },
  { name: "claude-code", userAgent: /^claude-(?:code|cli)\/([\w.+-]{1,40})/i },
  { name: "claude-desktop", userAgent: /^claude-desktop\/([\w.+-]{1,40})/i },
  { name: "claude-desktop", userAgent: /^(?:Mozilla\/5\.0 .*?)?\bClaude\/([\w.+-]{1,40}) .*\bElectron\// },
  { name: "chatgpt", userAgent: /^openai-mcp\/([\w.+-]{1,40}) \(ChatGPT\)/i },
  { name: "codex", userAgent: /^codex[\w-]{0,40}\/([\w.+-]{1,40})/i },
  { name: "codex", userAgent: /^openai-mcp\/([\w.+-]{1,40}) \(Codex\)/i },
  { name: "openai-mcp", userAgent: /^openai-mcp\/([\w.+-]{1,40})/i },
  { name: "cursor", userAgent: /^cursor\/([\w.+-]{1,40})/i },
  { name: "countersign", userAgent: /^countersign\/([\w.+-]{1,40})/i },
  { name: "curl", userAgent: /^curl\/([\w.+-]{1,40})/i },
  { name: "python", userAgent: /^python[\w-]{0,20}\/([\w.+-]{1,40})/i },
  { name: "node", userAgent: /^(?:node|undici)(?:\/([\w.+-]{1,40}))?$/i },
  { name: "browser", userAgent: /^Mozilla\/5\.0 .*?(?:Chrome|Firefox|Version)\/([\w.]{1,40})/ },
];

const MAX_EVIDENCE = 512;
const UNKNOWN: ClientIdentity = {
  name: "unknown",
  confidence: "UNKNOWN",
  modelConfidence: "UNKNOWN",
  evidence: {},
};
const recent = new LRUCache<string, ClientIdentity>({ max: 1000 });

/**
 * Which program called, by its User-Agent. HEADER is as sure as a header gets, and the model is never known from one:
 * only a gateway that signs in as such could tell.
 */
export function identifyClient(headers: HeaderSource): ClientIdentity {
  const userAgent = headers.get("user-agent")?.slice(0, MAX_EVIDENCE).toWellFormed();
  if (userAgent === undefined || userAgent === "") return UNKNOWN;
  let identity = recent.get(userAgent);
  if (identity === undefined) {
    identity = identify(userAgent);
    recent.set(userAgent, identity);
  }
  return identity;
}

function identify(userAgent: string): ClientIdentity {
  const evidence = { "user-agent": userAgent };
  for (const { name, userAgent: pattern } of CLIENT_RULES) {
    const match = pattern.exec(userAgent);
    if (match === null) continue;
    const version = match[1];
    const identity = { name, confidence: "HEADER", modelConfidence: "UNKNOWN", evidence } as const;
    return version === undefined ? identity : { ...identity, version };
  }
  return { ...UNKNOWN, evidence };
}
