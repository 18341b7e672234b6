import { asError } from "../../errors.ts";
import { CommandError } from "../exit.ts";
import { closeSession, type OpenedSession, openSession } from "./session.ts";
import { placeOf, type ReplayRun, replayStep } from "./step.ts";
import type { Conversation } from "./traces.ts";

export interface RunOptions {
  /** Conversations under way at once. */
  readonly concurrency: number;
  readonly onStep: () => void;
  readonly signal: AbortSignal;
}

/**
 * Replays every conversation in a session of its own, its steps in order, several conversations at once. The first failure ends all of them,
 * each after the step it is at, and is thrown with the place it happened at.
 */
export async function replayConversations(
  run: ReplayRun,
  conversations: readonly Conversation[],
  { concurrency, onStep, signal }: RunOptions,
): Promise<void> {
  const queue = conversations.values();
  let failure: Error | undefined;
  const work = async () => {
    for (const conversation of queue) {
      const { id, steps } = conversation;
      let session: OpenedSession;
      const at = async (place: string, part: () => Promise<void>): Promise<boolean> => {
        if (failure !== undefined || signal.aborted) return false;
        try {
          await part();
          return true;
        } catch (cause) {
          const code = cause instanceof CommandError ? cause.code : "FAILED";
          failure ??= new CommandError(code, `${place}: ${asError(cause).message}`, { cause });
          return false;
        }
      };
      const open = async () => {
        session = await openSession(run, conversation);
      };
      if (!(await at(`${id}, start`, open))) return;
      for (const [index, step] of steps.entries()) {
        if (!(await at(placeOf(conversation, step, index), () => replayStep(run, conversation, step, index)))) return;
        onStep();
      }
      if (!(await at(`${id}, end`, () => closeSession(run, conversation, session)))) return;
      run.counts.conversations += 1;
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, conversations.length) }, work));
  if (signal.aborted) throw new CommandError("FAILED", "interrupted; --run with the id above continues");
  if (failure !== undefined) throw failure;
}
