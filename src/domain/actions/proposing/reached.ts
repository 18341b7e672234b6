import { instant } from "../../../facts/entry.ts";
import type { Reach } from "../../directory/reach.ts";
import type { Caller } from "../../identity/principal.ts";
import { type Evaluation, requiringInstead } from "../../policy/evaluate.ts";

/**
 * `evaluation` with what escalates at once, because nobody is known whom it asks first. Only requirements that escalate are looked at. Throws
 * LedgerUnavailableError.
 */
export async function escalatedAtOnce(
  evaluation: Evaluation,
  { principal }: Pick<Caller, "principal">,
  reach: Reach,
  now: Date,
): Promise<Evaluation> {
  const { requirements } = evaluation;
  if (requirements.every(({ escalation }) => escalation === undefined)) return evaluation;
  const unreached = await Promise.all(
    requirements.map(
      async (one) => one.escalation !== undefined && !(await reach.isReached(principal, one, "decision")),
    ),
  );
  if (!unreached.includes(true)) return evaluation;
  return requiringInstead(
    evaluation,
    requirements.map((one, at) => {
      const { escalation } = one;
      if (escalation === undefined || unreached[at] !== true) return one;
      return { ...one, unreached: true, escalation: { ...escalation, at: instant(now) } };
    }),
  );
}
