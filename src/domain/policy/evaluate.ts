import { CanonicalText, canonicalize, type JsonObject } from "../../facts/canonical.ts";
import { type Hash, hashText } from "../../facts/hash.ts";
import type { FactDraft } from "../../facts/registry.ts";
import { type Catalog, type Effect, findTool, type Tool } from "./catalog.ts";
import { RULE_IDS } from "./reason.ts";

export type PolicyOutcome = "PERMIT" | "REQUIRE" | "FORBID";

export interface MatchedRule {
  readonly ruleId: string;
  readonly outcome: PolicyOutcome;
  /** The values the rule looked at. */
  readonly because: JsonObject;
}

/** `needed` different humans of `group` must approve. */
export interface Requirement {
  readonly id: string;
  readonly group: string;
  readonly needed: number;
}

/** The `policy` member of a proposal, as canonical text: made once for each tool. */
type RecordedPolicy = Extract<FactDraft<"ACTION_PROPOSED">["policy"], { readonly text: string }>;

export interface Evaluation {
  readonly outcome: PolicyOutcome;
  readonly policyHash: Hash;
  readonly version: number;
  readonly rules: readonly MatchedRule[];
  readonly requirements: readonly Requirement[];
  readonly effect: Effect;
  readonly region: string;
  /** The `policy` member of an entry's body, ready to embed. */
  readonly recorded: RecordedPolicy;
}

export interface Policy {
  readonly hash: Hash;
  readonly version: number;
  readonly catalog: Catalog;
  /**
   * Evaluates the policy for a tool on a platform. `allowed`: the platforms the agent was invited for; undefined: any. Pure.
   */
  evaluate(platform: string, tool: string, allowed?: readonly string[]): Evaluation;
}

const VERSION = 1;
const READS = { id: RULE_IDS.reads, outcome: "PERMIT" } as const;
const WRITES = {
  id: RULE_IDS.writes,
  outcome: "REQUIRE",
  requirement: { id: RULE_IDS.writes, group: "approvers", needed: 1 },
} as const;
const OTHERS = { id: RULE_IDS.unknownTool, outcome: "FORBID" } as const;

const FOREIGN = { id: RULE_IDS.foreignPlatform, outcome: "FORBID" } as const;

/** The region of a platform nobody has catalogued. */
export const UNKNOWN_REGION = "unknown";

/** The first policy of an installation over `catalog`. Its hash covers rules and catalog. */
export function createPolicy(catalog: Catalog): Policy {
  const rules = [
    { ...READS, when: { known: true, effect: "READ" } },
    { ...WRITES, when: { known: true, effect: "WRITE" } },
    { ...OTHERS, when: { known: false } },
    { ...FOREIGN, when: { platformAllowed: false } },
  ];
  const hash = hashText(canonicalize({ version: VERSION, rules, catalog: catalog.document }));
  const known = new Map<Tool, Evaluation>();
  for (const { region, tools } of catalog.platforms.values()) {
    for (const tool of tools.values()) {
      const { name, platform, effect, personalData } = tool;
      const { id, outcome } = effect === "READ" ? READS : WRITES;
      const rule = { ruleId: id, outcome, because: { platform, tool: name, effect, personalData } };
      const requirements = effect === "READ" ? [] : [WRITES.requirement];
      known.set(tool, evaluation(hash, [rule], requirements, effect, region));
    }
  }
  return {
    hash,
    version: VERSION,
    catalog,
    evaluate(platform, tool, allowed) {
      const found = ordinary(platform, tool);
      if (allowed === undefined || allowed.includes(platform)) return found;
      const rule = { ruleId: FOREIGN.id, outcome: FOREIGN.outcome, because: { platform, allowed } };
      // Strictest first; a FORBID has no requirements.
      return evaluation(hash, [rule, ...found.rules], [], found.effect, found.region);
    },
  };

  function ordinary(platform: string, tool: string): Evaluation {
    const listed = findTool(catalog, platform, tool);
    const found = listed && known.get(listed);
    if (found !== undefined) return found;
    const because = { platform, tool, known: false };
    const region = catalog.platforms.get(platform)?.region ?? UNKNOWN_REGION;
    // What nobody has catalogued may do anything, so it counts as a write.
    return evaluation(hash, [{ ruleId: OTHERS.id, outcome: OTHERS.outcome, because }], [], "WRITE", region);
  }
}

function evaluation(
  policyHash: Hash,
  /** The strictest first. */
  rules: readonly [MatchedRule, ...MatchedRule[]],
  requirements: readonly Requirement[],
  effect: Effect,
  region: string,
): Evaluation {
  const outcome = rules[0].outcome;
  const recorded: RecordedPolicy = new CanonicalText(
    canonicalize({
      hash: policyHash,
      version: VERSION,
      outcome,
      rules: rules.map((rule) => ({ ...rule })),
      requirements: requirements.map((requirement) => ({ ...requirement })),
    }),
  );
  return { outcome, policyHash, version: VERSION, rules, requirements, effect, region, recorded };
}
