import type { Assurance } from "../../facts/assurance.ts";
import { CanonicalText, canonicalize, type JsonObject } from "../../facts/canonical.ts";
import { type Hash, hashText } from "../../facts/hash.ts";
import type { ApproverFilter } from "../../facts/quorum.ts";
import type { FactDraft } from "../../facts/registry.ts";
import type { Catalog, Effect } from "./catalog.ts";
import { type CompiledPolicy, compilePolicy, type Verdict } from "./compile.ts";
import type { Situation, ToolFacts } from "./conditions/variables.ts";
import type { PolicyDocument } from "./document/schema.ts";
import { starterDocument } from "./document/starter.ts";
import { recordedRequirement } from "./requirements.ts";
import type { RuleExplanation } from "./rules.ts";
import type { Decimal } from "./windows/decimal.ts";
import type { Measured } from "./windows/measures.ts";
import type { Window } from "./windows/window.ts";

export type PolicyOutcome = "PERMIT" | "REQUIRE" | "FORBID";

/** A rule that matched, as entries record it. */
export interface MatchedRule {
  readonly ruleId: string;
  readonly outcome: PolicyOutcome;
  /** The values the rule read, by their path; without those of arguments, which can be erased. */
  readonly because: JsonObject;
  readonly reason: string;
  /** Its condition could not be evaluated, so its strictest reading counts. */
  readonly failed?: true;
}

/** `needed` different humans of `group` must approve. */
export interface Requirement {
  readonly id: string;
  readonly group: string;
  /** `group` is a role. */
  readonly role?: true | undefined;
  readonly needed: number;
  /** From then on, whoever asked for it may approve as well (RFC 3339, UTC). Only of what nobody else could approve. */
  readonly requesterAfter?: string | undefined;
  /** An approval that is less sure does not count. */
  readonly assurance?: Assurance | undefined;
  /** An approval without a note does not count. */
  readonly note?: true | undefined;
  /** What holds for an approver: all of these. */
  readonly approver?: readonly ApproverFilter[] | undefined;
  /** The person for whom an agent asked may approve as well, whatever groups they are in. */
  readonly ownerConfirms?: true | undefined;
  /** Seconds that people have to decide at most. */
  readonly ttl?: number | undefined;
  /** From `at` on (RFC 3339, UTC, six decimals), members of another group may approve as well. */
  readonly escalation?: { readonly at: string; readonly group: string } | undefined;
  /** Nobody was known who could approve when it was proposed. */
  readonly unreached?: true | undefined;
}

/** The `policy` member of a proposal, as canonical text. */
type RecordedPolicy = Extract<FactDraft<"ACTION_PROPOSED">["policy"], { readonly text: string }>;

export interface Evaluation {
  readonly outcome: PolicyOutcome;
  readonly policyHash: Hash;
  readonly version: number;
  /** Those that matched, the strictest first. */
  readonly rules: readonly MatchedRule[];
  /** Of every rule, whether it matched or not, with all values that it read. Not recorded. */
  readonly explanation: readonly RuleExplanation[];
  readonly requirements: readonly Requirement[];
  readonly effect: Effect;
  readonly region: string;
  /** What is recorded of the measures of a proposal that windows count; undefined: none counts it. */
  readonly measures: Readonly<Record<string, Decimal>> | undefined;
  /** The windows that it was given, by their texts: what they came to before; undefined: none. */
  readonly windows: Readonly<Record<string, Decimal>> | undefined;
  /** The `policy` member of an entry's body, ready to embed. */
  readonly recorded: RecordedPolicy;
}

export interface Policy {
  readonly hash: Hash;
  readonly version: number;
  readonly document: PolicyDocument;
  /** Whether any condition reads arguments. */
  readonly readsArguments: boolean;
  /** Whether any condition reads where values may have come from. */
  readonly readsLineage: boolean;
  /** What its catalog says of a tool. Pure. */
  effectOf(platform: string, tool: string): ToolFacts["effect"];
  /** The windows of all rules. */
  readonly allWindows: readonly Window[];
  /** Those whose values before the proposal `evaluate` has to be given. Pure. */
  windows(situation: Situation): readonly Window[];
  /** What its measures are for the proposal. Pure. */
  measure(situation: Situation): Measured;
  /** Evaluates the policy. `allowed`: the platforms the agent was invited for; undefined: any. Pure. */
  evaluate(situation: Situation, allowed?: readonly string[]): Evaluation;
}

/** The number of the policy that servers start with. */
const FIRST_VERSION = 1;
/** What conditions call the arguments of a tool, and what has names of their members. */
const OF_ARGUMENTS = /^args\b|^lineage$|^lineage\.unsourced\b/;

/** The first policy of an installation: the starter around `catalog`. Its hash covers rules and catalog. */
export function createPolicy(catalog: Catalog): Policy {
  const document = starterDocument(catalog);
  const hash = hashText(canonicalize(document));
  return policyOf(compilePolicy({ document, hash, placeOf: () => ({ line: 1, column: 1 }) }), FIRST_VERSION);
}

/** A compiled document as version `version` of a policy. */
export function policyOf(compiled: CompiledPolicy, version: number): Policy {
  const { hash, document } = compiled;
  return {
    hash,
    version,
    document,
    readsArguments: compiled.readsArguments,
    readsLineage: compiled.readsLineage,
    effectOf: compiled.effectOf,
    allWindows: compiled.allWindows,
    windows: compiled.windows,
    measure: compiled.measure,
    evaluate: (situation, allowed) => evaluationOf(compiled.judge(situation, allowed), hash, version),
  };
}

function recordable({ ruleId, outcome, reason, values, error }: RuleExplanation): MatchedRule {
  const because = Object.fromEntries(Object.entries(values).filter(([path]) => !OF_ARGUMENTS.test(path)));
  // Messages of errors may quote arguments.
  return { ruleId, outcome, because, reason, ...(error === undefined ? {} : { failed: true }) };
}

type Recorded = Pick<Evaluation, "policyHash" | "version" | "outcome" | "rules" | "requirements">;

function recordedPolicy({ policyHash: hash, version, outcome, rules, requirements }: Recorded): RecordedPolicy {
  const stated = rules.map((rule) => ({ ...rule }));
  const asked = requirements.map(recordedRequirement);
  return new CanonicalText(canonicalize({ hash, version, outcome, rules: stated, requirements: asked }));
}

/** The evaluation that `said` is. Explanations are made when they are asked for: most never are. */
function evaluationWith(
  said: Omit<Evaluation, "explanation" | "recorded">,
  explained: Pick<Evaluation, "explanation">,
): Evaluation {
  return {
    ...said,
    get explanation() {
      return explained.explanation;
    },
    recorded: recordedPolicy(said),
  };
}

/** `evaluation` with other requirements. */
export function requiringInstead(evaluation: Evaluation, requirements: readonly Requirement[]): Evaluation {
  const { outcome, policyHash, version, rules, effect, region, measures, windows } = evaluation;
  const said = { outcome, policyHash, version, rules, requirements, effect, region, measures, windows };
  return evaluationWith(said, evaluation);
}

/** What `verdict` of the policy with this hash and version says, as it is recorded. */
export function evaluationOf(verdict: Verdict, policyHash: Hash, version: number): Evaluation {
  const { outcome, matched, requirements, measures, windows, tool } = verdict;
  const rules = matched.map(recordable);
  // What nobody has catalogued may do anything, so it counts as a write.
  const effect = tool.effect === "READ" ? "READ" : "WRITE";
  const { region } = tool;
  return evaluationWith(
    { outcome, policyHash, version, rules, requirements, effect, region, measures, windows },
    verdict,
  );
}
