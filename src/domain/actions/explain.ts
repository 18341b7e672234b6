import { factOfType } from "../../facts/decode.ts";
import { type LedgerEntry, ledgerOf } from "../../facts/entry.ts";
import { parseJson } from "../../facts/parse-json.ts";
import type { Fact } from "../../facts/registry.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { ClientIdentity, Principal } from "../identity/principal.ts";
import type { TryPolicy } from "../policy/apart.ts";
import { type Evaluation, evaluationOf } from "../policy/evaluate.ts";
import type { Policies } from "../policy/policies.ts";
import { reasonOf } from "../policy/reason.ts";
import type { RuleExplanation } from "../policy/rules.ts";
import { canonicalJson, checkName } from "./input.ts";
import { recordedSituation, type Step, supposedSituation } from "./proposing/situation.ts";
import { tryWithWindows } from "./proposing/tried-windows.ts";
import { createWindowLoader } from "./proposing/window-loader.ts";
import { withWindows } from "./proposing/windows.ts";
import { termsOf } from "./terms.ts";

/** Who would propose a step. */
export interface SupposedPrincipal {
  readonly principal: Principal;
  /** The platforms that the agent was invited for; undefined: any. */
  readonly platforms?: readonly string[] | undefined;
  /** Undefined: nothing is known of it. */
  readonly client?: ClientIdentity | undefined;
}

export interface ExplainInput extends Step {
  /** A policy document in YAML or JSON; undefined: the active policy. */
  readonly document?: string | undefined;
}

/** The version of a document that is none. */
const NO_VERSION = 0;

export interface ExplainOptions {
  readonly region: string;
  readonly policies: Pick<Policies, "of" | "open" | "withHash">;
  readonly now: () => Date;
  readonly tryPolicy: TryPolicy;
}

export interface Explainer {
  /**
   * What a policy says of a step that is not proposed, as one of `as`; nothing is recorded. Windows are read through `db`; of a
   * document, as far as entries say what they came to. Throws
   * ActionRefusal INVALID_INPUT, PolicyDocumentError, PolicyTooSlowError, BusyError.
   */
  explain(db: Queryable, by: Principal, as: SupposedPrincipal, input: ExplainInput): Promise<Evaluation>;
  /**
   * Every rule, as it was evaluated for `proposal`; those that the entry records when its policy, or what it was evaluated for, is not known any more.
   */
  explainRecorded(proposal: LedgerEntry): readonly RuleExplanation[];
  /** The ids of the rules of the policy that is in force where `by` belongs. Throws LedgerUnavailableError. */
  ruleIds(by: Principal): Promise<readonly string[]>;
}

export function createExplainer(options: ExplainOptions): Explainer {
  const { region, policies, now, tryPolicy } = options;
  return {
    async explain(db, by, { principal, platforms, client }, { document, ...step }) {
      checkName(step.platform, "platform");
      checkName(step.tool, "tool");
      checkName(step.targetRegion, "targetRegion");
      // As a proposal would have them.
      const given = parseJson(canonicalJson(step.arguments, "arguments").text);
      const situation = supposedSituation(principal, client, { ...step, arguments: given }, now());
      const ledger = ledgerOf(principal.organization, region);
      if (document === undefined) {
        await policies.open(by.organization);
        const policy = policies.of(by.organization);
        return policy.evaluate(await withWindows(createWindowLoader(db), policy, situation, ledger), platforms);
      }
      const { hash, verdicts } = await tryPolicy(by, async (run) => {
        await policies.open(by.organization);
        const tried = [{ situation, allowed: platforms, inForce: policies.of(by.organization) }];
        return tryWithWindows(run, (work) => work(db), { ledger, document, tried });
      });
      const [verdict] = verdicts;
      if (verdict === undefined) throw new Error("a policy was evaluated, and has no verdict");
      return evaluationOf(verdict, hash, NO_VERSION);
    },
    explainRecorded(proposal) {
      const recorded = factOfType(proposal, "ACTION_PROPOSED").policy;
      const { isWhole, ...situation } = recordedSituation(proposal, new Date(proposal.recordedAt));
      const policy = policies.withHash(termsOf(proposal).requestedBy.organization, recorded.hash);
      if (isWhole && policy !== undefined) {
        const again = policy.evaluate(situation);
        if (again.outcome === recorded.outcome && idsOf(again.rules) === idsOf(recorded.rules))
          return again.explanation;
      }
      return recorded.rules.map(recordedExplanation);
    },
    async ruleIds({ organization }) {
      await policies.open(organization);
      return policies.of(organization).document.rules.map(({ id }) => id);
    },
  };
}

const idsOf = (rules: readonly { readonly ruleId: string }[]) => JSON.stringify(rules.map(({ ruleId }) => ruleId));

type RecordedRule = Fact<"ACTION_PROPOSED">["policy"]["rules"][number];

function recordedExplanation({ ruleId, outcome, because, reason: why, failed }: RecordedRule): RuleExplanation {
  const reason = why ?? reasonOf({ ruleId, outcome });
  const explained = { ruleId, outcome, reason, matched: true, values: because };
  return failed === true ? { ...explained, error: FAILED } : explained;
}

const FAILED = "The condition could not be evaluated. Why was not recorded.";
