import { createHash } from "node:crypto";
import type { Answered, Api } from "../api.ts";
import { CommandError } from "../exit.ts";
import type { ReplayCounts } from "./counts.ts";
import type { Inbox } from "./inbox.ts";
import {
  type ActionStatus,
  CLAIM,
  COMPLETE,
  NOT_RUN,
  PROPOSE,
  READ_ACTION,
  REDEEM,
  type UserErrors,
} from "./operations.ts";
import { type Conversation, failureOf, type TraceStep } from "./traces.ts";

export type Effect = "READ" | "WRITE";

/** What every step of a run shares. */
export interface ReplayRun {
  /** Sets this run apart from any other of the same file. */
  readonly id: string;
  /** Whether an earlier process may have begun it. */
  readonly continued: boolean;
  readonly agent: Api;
  readonly auditor: Api;
  readonly inbox: Inbox;
  readonly counts: ReplayCounts;
  /** The effect of a tool in the catalog; undefined for an unknown tool. Absent without a catalog. */
  readonly effectOf?: (platform: string, tool: string) => Effect | undefined;
  readonly catalogFile?: string;
  readonly warn: (message: string) => void;
  /** Tools that the server blocks and that were warned of, with their platforms. */
  readonly blockedTools: Set<string>;
  /** Those of them that the catalog has and the server does not know. */
  readonly unknownTools: Set<string>;
}

/** The rule of the server's policy that forbids what is in no catalog of its. */
const UNKNOWN_TOOL = "unknown-tool-forbidden";

interface Proposed {
  readonly id: string;
  readonly status: ActionStatus;
  readonly effect: Effect;
  readonly digest: string;
  readonly token: string | undefined;
}

/** The same key however often a step of a run is sent: a UUID of version 8 (RFC 9562) from a hash. */
function idempotencyKey(...names: readonly string[]): string {
  const bytes = createHash("sha256").update(names.join("\0")).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Where something happened, for people. */
export function placeOf({ id }: Conversation, { tool }: TraceStep, index: number): string {
  return `${id}, step ${index + 1} (${tool})`;
}

/** A conversation as this run has it: in another run it is another one. */
export function conversationIdOf(run: Pick<ReplayRun, "id">, conversation: Conversation): string {
  return `${conversation.id}/${run.id}`;
}

/** Reports once per tool why the server blocks it. */
function warnOfBlocked(run: ReplayRun, place: string, step: TraceStep, rules: readonly string[]): void {
  const tool = `${step.tool} on ${step.platform}`;
  if (run.blockedTools.has(tool)) return;
  run.blockedTools.add(tool);
  const because = `${place}: the server returned BLOCKED for ${tool} (${rules.join(", ") || "no rule"})`;
  if (rules.includes(UNKNOWN_TOOL) && run.effectOf?.(step.platform, step.tool) !== undefined) {
    run.unknownTools.add(tool);
    const remedy = `start the server with that catalog, \`countersign serve --catalog ${run.catalogFile}\``;
    run.warn(`${because}. ${run.catalogFile} knows the tool: ${remedy}`);
  } else {
    run.warn(because);
  }
}

function checkEffect(run: ReplayRun, step: TraceStep, effect: Effect): void {
  const expected = run.effectOf?.(step.platform, step.tool);
  if (run.effectOf === undefined || expected === effect) return;
  const message =
    expected === undefined
      ? `${step.tool} on ${step.platform} is not in ${run.catalogFile}, yet the server knows it as a ${effect}`
      : `${step.tool} is a ${expected} in ${run.catalogFile} and a ${effect} to the server: it runs with another catalog`;
  throw new CommandError("FAILED", message);
}

async function propose(run: ReplayRun, conversation: Conversation, step: TraceStep, index: number): Promise<Proposed> {
  const input = {
    idempotencyKey: idempotencyKey(run.id, conversation.id, String(index)),
    platform: step.platform,
    tool: step.tool,
    arguments: step.arguments,
    userRequest: step.userRequest ?? conversation.userRequest,
    rationale: step.rationale,
    conversationId: conversationIdOf(run, conversation),
    // Each recorded step was meant.
    repeat: true,
  };
  const { action, grant, userErrors } = (await run.agent.run(PROPOSE, { input })).data.proposeAction;
  const [refusal] = userErrors;
  if (refusal !== undefined) throw new CommandError("FAILED", `proposal refused, ${refusal.code}: ${refusal.message}`);
  if (action === null) throw new CommandError("FAILED", "the response to a proposal contains no action");
  const rules = action.policy.matchedRules.map(({ ruleId }) => ruleId);
  if (action.status === "BLOCKED") warnOfBlocked(run, placeOf(conversation, step, index), step, rules);
  else checkEffect(run, step, action.effect);
  return { id: action.id, status: action.status, effect: action.effect, digest: action.digest, token: grant?.token };
}

/** Thrown when an action ended without being carried out. */
class NotRun extends Error {}

/**
 * Throws for a refusal, unless an earlier attempt succeeded and only its response was lost: then the action
 * already has a status that only this step can have given it. Throws NotRun when the action was denied, cancelled or expired.
 */
async function accept(
  run: ReplayRun,
  actionId: string,
  { attempts }: Pick<Answered<unknown>, "attempts">,
  userErrors: UserErrors,
  goal: readonly ActionStatus[],
): Promise<void> {
  const [refusal] = userErrors;
  if (refusal === undefined) return;
  const { data } = await run.agent.run(READ_ACTION, { id: actionId });
  const status = data.action?.status;
  if (status !== undefined && attempts > 1 && goal.includes(status)) return;
  if (status !== undefined && NOT_RUN.includes(status)) throw new NotRun(status);
  throw new CommandError("FAILED", `${refusal.code}: ${refusal.message}`);
}

async function claim(run: ReplayRun, id: string): Promise<string> {
  const answered = await run.agent.run(CLAIM, { input: { actionId: id } });
  const { grant, userErrors } = answered.data.claimGrant;
  if (grant !== null) return grant.token;
  await accept(run, id, answered, userErrors, []);
  throw new CommandError("FAILED", "the server returned neither a grant nor a reason");
}

async function redeem(run: ReplayRun, id: string, token: string, digest: string): Promise<void> {
  const answered = await run.agent.run(REDEEM, { input: { token, digest } });
  await accept(run, id, answered, answered.data.redeemGrant.userErrors, ["EXECUTING"]);
}

async function complete(run: ReplayRun, id: string, step: TraceStep): Promise<void> {
  const error = failureOf(step);
  const outcome = error === undefined ? "SUCCEEDED" : "FAILED";
  const input = { actionId: id, outcome, ...(error === undefined ? { result: step.output } : { error }) };
  const answered = await run.agent.run(COMPLETE, { input });
  await accept(run, id, answered, answered.data.completeAction.userErrors, [outcome]);
}

/** Checks, as auditor, that the ledger has the approvals that the policy asked for, of people, before the redemption. */
async function checkApproval(run: ReplayRun, id: string): Promise<void> {
  const { action } = (await run.auditor.run(READ_ACTION, { id })).data;
  const position = (type: string) => BigInt(action?.entries.findLast((entry) => entry.type === type)?.seq ?? 0);
  if (action?.policy.outcome === "PERMIT") {
    run.counts.writesPermitted += 1;
    return;
  }
  const needed = (action?.policy.requirements ?? []).reduce((sum, one) => sum + one.needed, 0);
  const people = (action?.decisions ?? []).filter(
    ({ verdict, approver }) => verdict === "APPROVE" && approver.kind === "HUMAN",
  );
  const approvedAt = position("ACTION_APPROVED");
  const are = new Set(people.map(({ approver }) => approver.id)).size;
  if (are === 0 || are < needed || approvedAt === 0n || approvedAt >= position("GRANT_REDEEMED")) {
    throw new CommandError("FAILED", `action ${id} ran without the approvals of people that it needed`);
  }
  run.counts.writesApproved += 1;
  if (are > 1) run.counts.writesBySeveral += 1;
  for (const { approver } of people) {
    run.counts.approvals.set(approver.id, (run.counts.approvals.get(approver.id) ?? 0) + 1);
  }
}

/**
 * Replays one recorded call: proposes it, has it approved if necessary, redeems the grant and completes it. A call that is
 * blocked, denied or cancelled is counted, and the replay continues.
 */
export async function replayStep(
  run: ReplayRun,
  conversation: Conversation,
  step: TraceStep,
  index: number,
): Promise<void> {
  const { counts } = run;
  const proposed = await propose(run, conversation, step, index);
  counts.steps += 1;
  if (proposed.status === "BLOCKED") {
    counts.blocked += 1;
    return;
  }
  if (proposed.effect === "WRITE") counts.writesProposed += 1;
  else counts.readsPermitted += 1;
  try {
    await carryOut(run, step, proposed);
  } catch (error) {
    if (!(error instanceof NotRun)) throw error;
    counts.notRun += 1;
  }
}

async function carryOut(
  run: ReplayRun,
  step: TraceStep,
  { id, status, effect, digest, token }: Proposed,
): Promise<void> {
  const { counts } = run;
  const decided = status === "PENDING" ? await run.inbox.decided(id) : status;
  if (NOT_RUN.includes(decided)) throw new NotRun(decided);
  // A run that is continued finds steps an earlier process has taken further.
  const over = status === "SUCCEEDED" || status === "FAILED";
  const begun = status === "EXECUTING" || status === "AMBIGUOUS";
  if (!over && !begun) await redeem(run, id, token ?? (await claim(run, id)), digest);
  counts.grantsRedeemed += 1;
  if (!over) await complete(run, id, step);
  if (failureOf(step) !== undefined) counts.failedOutputs += 1;
  if (effect === "WRITE") {
    counts.writesExecuted += 1;
    await checkApproval(run, id);
  }
}
