import { Worker } from "node:worker_threads";
import { createTurns } from "../../db/turns.ts";
import type { Hash } from "../../facts/hash.ts";
import type { CasesReport } from "./cases.ts";
import type { Verdict } from "./compile.ts";
import type { Situation } from "./conditions/variables.ts";
import { PolicyDocumentError, type PolicyProblem } from "./document/problems.ts";
import type { PolicyDocument } from "./document/schema.ts";
import type { Window } from "./windows/window.ts";

/** A situation, and the platforms that the agent was invited for; undefined: any. */
export interface Asked {
  readonly situation: Situation;
  readonly allowed?: readonly string[] | undefined;
}

/** A document that is tried, and on what. */
export interface Trial {
  readonly document: string;
  readonly asked: readonly Asked[];
  /** The time of its cases that say none; undefined: they are not evaluated. */
  readonly casesAt?: Date | undefined;
  /** Verdicts say nothing of rules. */
  readonly brief?: boolean | undefined;
}

export interface TrialResult {
  readonly hash: Hash;
  readonly document: PolicyDocument;
  /** Undefined unless they were asked for. */
  readonly cases: CasesReport | undefined;
  /** Of each situation, the windows that its evaluation depends on. */
  readonly windows: readonly (readonly Window[])[];
  /** One for each situation, in their order. */
  readonly verdicts: readonly Verdict[];
}

/** The reply of the thread. */
export type TrialReply = { readonly result: TrialResult } | { readonly problems: readonly PolicyProblem[] };

/** Reading a document, or evaluating it, took too long. */
export class PolicyTooSlowError extends Error {
  override readonly name = "PolicyTooSlowError";
}

/**
 * Evaluates a document that is not used. Throws PolicyDocumentError, PolicyTooSlowError, and BusyError when `by` tries too many at a time. Given a
 * function, the trial is made once it is one's turn: what it reads is not held while waiting.
 */
export type TryPolicy = (
  by: { readonly organization: string; readonly id: string },
  trial: Trial | (() => Promise<Trial>),
) => Promise<TrialResult>;

export interface TryPolicyOptions {
  /** Milliseconds for one trial, its thread's start included. */
  readonly maxMs?: number;
}

const MAX_MS = 10_000;
const MEGABYTES = 256;
const FILE = new URL("apart-thread.ts", import.meta.url);

/**
 * Whoever may try documents could write one that takes minutes to evaluate, so each is read and evaluated in a thread of its own, which is ended when
 * it takes too long. Two at a time, one of each organization.
 */
export function createTryPolicy({ maxMs = MAX_MS }: TryPolicyOptions = {}): TryPolicy {
  const turns = createTurns({ at: 2, perOrganization: 1, waitingPerPrincipal: 4, maxWaitMs: 2 * maxMs });
  return async ({ organization, id }, trial) => {
    const end = await turns.take(organization, id);
    try {
      return await run(typeof trial === "function" ? await trial() : trial, maxMs);
    } finally {
      end();
    }
  };
}

async function run(trial: Trial, maxMs: number): Promise<TrialResult> {
  const worker = new Worker(FILE, { workerData: trial, resourceLimits: { maxOldGenerationSizeMb: MEGABYTES } });
  worker.unref();
  const tooSlow = () => new PolicyTooSlowError("the policy document takes too long, or too much memory, to evaluate");
  let timer: NodeJS.Timeout | undefined;
  try {
    const reply = await new Promise<TrialReply>((resolve, reject) => {
      timer = setTimeout(() => reject(tooSlow()), maxMs);
      worker.once("message", resolve);
      worker.once("error", (error: Error & { readonly code?: string }) => {
        reject(error.code === "ERR_WORKER_OUT_OF_MEMORY" ? tooSlow() : error);
      });
      worker.once("exit", (code) => reject(new Error(`the thread that evaluates a policy ended with ${code}`)));
    });
    if ("problems" in reply) throw new PolicyDocumentError(reply.problems);
    return reply.result;
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
