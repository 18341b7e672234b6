import { asError } from "../../errors.ts";
import { CommandError } from "../exit.ts";
import { type Run, replayStep } from "./step.ts";
import type { Conversation } from "./traces.ts";

export interface RunOptions {
  /** Conversations under way at once. */
  readonly concurrency: number;
  readonly onStep: () => void;
  readonly signal: AbortSignal;
}

/**
 * Replays every conversation, its steps in order, several conversations at once. The first failure ends all of them,
 * each after the step it is at, and is thrown with the place it happened at.
 */
export async function replayConversations(
  run: Run,
  conversations: readonly Conversation[],
  { concurrency, onStep, signal }: RunOptions,
): Promise<void> {
  const queue = conversations.values();
  let failure: Error | undefined;
  const work = async () => {
    for (const conversation of queue) {
      for (const [index, step] of conversation.steps.entries()) {
        if (failure !== undefined || signal.aborted) return;
        try {
          await replayStep(run, conversation, step, index);
        } catch (cause) {
          const place = `${conversation.id}, step ${index + 1} (${step.tool})`;
          const code = cause instanceof CommandError ? cause.code : "FAILED";
          failure ??= new CommandError(code, `${place}: ${asError(cause).message}`, { cause });
          return;
        }
        onStep();
      }
      run.counts.conversations += 1;
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, conversations.length) }, work));
  if (signal.aborted) throw new CommandError("FAILED", "interrupted; --run with the id above continues");
  if (failure !== undefined) throw failure;
}
