import { parentPort, workerData } from "node:worker_threads";
import type { Trial, TrialReply } from "./apart.ts";
import { runCases } from "./cases.ts";
import { compilePolicy } from "./compile.ts";
import { PolicyDocumentError } from "./document/problems.ts";
import { readPolicy } from "./document/read.ts";

/** The side of the thread: see `createTryPolicy`. Any other error ends the thread with it. */
function evaluated({ document, asked, casesAt, brief }: Trial): TrialReply {
  try {
    const policy = compilePolicy(readPolicy(document));
    const windows = asked.map(({ situation }) => policy.windows(situation));
    const verdicts = asked.map(({ situation, allowed }) => policy.judge(situation, allowed));
    const cases = casesAt && runCases(policy, casesAt);
    const told = brief === true ? verdicts.map((verdict) => ({ ...verdict, matched: [], explanation: [] })) : verdicts;
    return { result: { hash: policy.hash, document: policy.document, cases, windows, verdicts: told } };
  } catch (error) {
    if (error instanceof PolicyDocumentError) return { problems: error.problems };
    throw error;
  }
}

parentPort?.postMessage(evaluated(workerData as Trial));
