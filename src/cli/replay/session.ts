import { CommandError } from "../exit.ts";
import { CONVERSATION_SESSIONS, END_SESSION, OPEN_SESSIONS, START_SESSION, type UserErrors } from "./operations.ts";
import { conversationIdOf, type ReplayRun } from "./step.ts";
import type { Conversation } from "./traces.ts";

/** The id of the one session of a conversation; undefined when there may be others, or none. */
export type OpenedSession = string | undefined;

function refuse([refusal]: UserErrors): void {
  if (refusal !== undefined) throw new CommandError("FAILED", `${refusal.code}: ${refusal.message}`);
}

/** Whether an earlier process of this run has begun the session and left it open, or has ended it. */
async function hasSession(run: ReplayRun, conversation: string): Promise<boolean> {
  const { open, latest } = (await run.agent.run(CONVERSATION_SESSIONS, { conversation })).data;
  // One that expired was left open by a run that was interrupted long ago.
  return open.nodes.length > 0 || latest.nodes.some(({ endReason }) => endReason === "LOGOUT");
}

/** Begins the agent's session of a conversation, unless an earlier process of this run has. */
export async function openSession(run: ReplayRun, conversation: Conversation): Promise<OpenedSession> {
  const conversationId = conversationIdOf(run, conversation);
  if (run.continued && (await hasSession(run, conversationId))) return undefined;
  const { data, attempts } = await run.agent.run(START_SESSION, { input: { conversationId } });
  refuse(data.startSession.userErrors);
  // startSession was sent again if its response was lost, so there can be two sessions.
  return attempts === 1 ? data.startSession.session?.id : undefined;
}

/** Ends the session, or all there are. */
export async function closeSession(run: ReplayRun, conversation: Conversation, opened: OpenedSession): Promise<void> {
  const ids = opened === undefined ? await openSessions(run, conversation) : [opened];
  for (const sessionId of ids) {
    const { userErrors } = (await run.agent.run(END_SESSION, { input: { sessionId } })).data.endSession;
    refuse(userErrors.filter(({ code }) => code !== "ALREADY_ENDED"));
  }
}

async function openSessions(run: ReplayRun, conversation: Conversation): Promise<readonly string[]> {
  const variables = { conversation: conversationIdOf(run, conversation) };
  const { nodes } = (await run.agent.run(OPEN_SESSIONS, variables)).data.sessions;
  return nodes.map(({ id }) => id);
}
