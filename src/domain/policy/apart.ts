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
  /** Only outcomes and requirements are asked for: verdicts say nothing of rules. */
  readonly brief?: boolean | undefined;
}

export interface TrialResult {
  readonly hash: Hash;
  readonly document: PolicyDocument;
  /** Undefined unless they were asked for. */
  readonly cases: CasesReport | undefined;
  /** Of each situation, the windows that what is asked for depends on. */
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

/** Evaluates a document that is not used. Throws PolicyDocumentError and PolicyTooSlowError. */
export type RunTrial = (trial: Trial) => Promise<TrialResult>;

/**
 * What `work` returns, which is called with a function that runs trials once it is the turn of `by`: what it reads for them is not held while waiting.
 * Throws BusyError when `by` tries too many at a time.
 */
export type TryPolicy = <Result>(
  by: { readonly organization: string; readonly id: string },
  work: (run: RunTrial) => Promise<Result>,
) => Promise<Result>;

export interface TryPolicyOptions {
  /** Milliseconds for one trial, the start of its thread included. */
  readonly maxMs?: number;
}

const MAX_MS = 10_000;
const MEGABYTES = 256;
const FILE = new URL("apart-thread.ts", import.meta.url);

/**
 * Whoever may try documents could write one that takes minutes to evaluate, so those of a turn are read and evaluated in a thread of their own, which is ended
 * when one takes too long. Two at a time, one of each organization.
 */
export function createTryPolicy({ maxMs = MAX_MS }: TryPolicyOptions = {}): TryPolicy {
  const turns = createTurns({ at: 2, perOrganization: 1, waitingPerPrincipal: 4, maxWaitMs: 2 * maxMs });
  return async ({ organization, id }, work) => {
    const end = await turns.take(organization, id);
    const thread = startThread(maxMs);
    try {
      return await work(thread.run);
    } finally {
      // Whoever is next starts a thread too.
      await thread.end().finally(end);
    }
  };
}

/** A thread for trials, one after the other. It starts with the first of them. */
function startThread(maxMs: number): { readonly run: RunTrial; readonly end: () => Promise<unknown> } {
  let worker: Worker | undefined;
  const tooSlow = () => new PolicyTooSlowError("the policy document takes too long, or too much memory, to evaluate");

  function replyOf(trial: Trial): Promise<TrialReply> {
    worker ??= new Worker(FILE, { resourceLimits: { maxOldGenerationSizeMb: MEGABYTES } });
    const thread = worker;
    thread.unref();
    const { promise, resolve, reject } = Promise.withResolvers<TrialReply>();
    const timer = setTimeout(() => reject(tooSlow()), maxMs);
    const onError = (error: Error & { readonly code?: string }) =>
      reject(error.code === "ERR_WORKER_OUT_OF_MEMORY" ? tooSlow() : error);
    const onExit = (code: number) => reject(new Error(`the thread that evaluates a policy ended with ${code}`));
    thread.once("message", resolve).once("error", onError).once("exit", onExit);
    thread.postMessage(trial);
    return promise.finally(() => {
      clearTimeout(timer);
      thread.off("message", resolve).off("error", onError).off("exit", onExit);
    });
  }

  return {
    async run(trial) {
      const reply = await replyOf(trial);
      if ("problems" in reply) throw new PolicyDocumentError(reply.problems);
      return reply.result;
    },
    end: async () => worker?.terminate(),
  };
}
