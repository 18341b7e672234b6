import { parentPort } from "node:worker_threads";
import type { Trial, TrialReply } from "./apart.ts";
import { runCases } from "./cases.ts";
import { compilePolicy, type Verdict } from "./compile.ts";
import { PolicyDocumentError } from "./document/problems.ts";
import { readPolicy } from "./document/read.ts";

/** The side of the thread: see `createTryPolicy`. Any other error ends the thread with it. */
function evaluated({ document, asked, casesAt, brief }: Trial): TrialReply {
  try {
    const policy = compilePolicy(readPolicy(document));
    const verdicts = asked.map(({ situation, allowed }) => policy.judge(situation, allowed));
    const windows = asked.map(({ situation }, at) =>
      brief === true && isForbidden(verdicts[at]) ? [] : policy.windows(situation),
    );
    const cases = casesAt && runCases(policy, casesAt);
    const told = brief === true ? verdicts.map(briefly) : verdicts;
    return { result: { hash: policy.hash, document: policy.document, cases, windows, verdicts: told } };
  } catch (error) {
    if (error instanceof PolicyDocumentError) return { problems: error.problems };
    throw error;
  }
}

/** Without asking for its explanation, which is made then. */
function briefly({ outcome, requirements, measures, windows, tool }: Verdict): Verdict {
  return { outcome, matched: [], explanation: [], requirements, measures, windows, tool };
}

/** Whatever windows come to. */
function isForbidden(verdict: Verdict | undefined): boolean {
  return verdict?.matched.some(({ outcome, error }) => outcome === "FORBID" && error === undefined) === true;
}

parentPort?.on("message", (trial: Trial) => parentPort?.postMessage(evaluated(trial)));
