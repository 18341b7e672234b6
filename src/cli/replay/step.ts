import { createHash } from "node:crypto";
import type { Answered, Api } from "../api.ts";
import { CommandError } from "../exit.ts";
import type { Counts } from "./counts.ts";
import type { Inbox } from "./inbox.ts";
import { CLAIM, COMPLETE, PROPOSE, READ_ACTION, REDEEM, type Status, type UserErrors } from "./operations.ts";
import { type Conversation, failureOf, type Step } from "./traces.ts";

export type Effect = "READ" | "WRITE";

/** What every step of a run shares. */
export interface Run {
  /** Sets this run apart from any other of the same file. */
  readonly id: string;
  /** Whether an earlier process may have begun it. */
  readonly continued: boolean;
  readonly agent: Api;
  readonly auditor: Api;
  readonly inbox: Inbox;
  readonly counts: Counts;
  /** What the catalog says of a tool; undefined for one that is not in it. Absent without a catalog. */
  readonly effectOf?: (platform: string, tool: string) => Effect | undefined;
  readonly catalogFile?: string;
}

interface Proposed {
  readonly id: string;
  readonly status: Status;
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

/** A conversation as this run has it: in another run it is another one. */
export function conversationIdOf(run: Pick<Run, "id">, conversation: Conversation): string {
  return `${conversation.id}/${run.id}`;
}

function blocked(run: Run, step: Step, rules: readonly string[]): CommandError {
  const because = `the server answers BLOCKED for ${step.tool} on ${step.platform} (${rules.join(", ") || "no rule"})`;
  const known = run.effectOf?.(step.platform, step.tool) !== undefined;
  const remedy = known
    ? `. ${run.catalogFile} knows the tool: start the server with that catalog, \`countersign serve --catalog ${run.catalogFile}\``
    : "";
  return new CommandError("FAILED", because + remedy);
}

function checkEffect(run: Run, step: Step, effect: Effect): void {
  const expected = run.effectOf?.(step.platform, step.tool);
  if (run.effectOf === undefined || expected === effect) return;
  const message =
    expected === undefined
      ? `${step.tool} on ${step.platform} is not in ${run.catalogFile}, yet the server knows it as a ${effect}`
      : `${step.tool} is a ${expected} in ${run.catalogFile} and a ${effect} to the server: it runs with another catalog`;
  throw new CommandError("FAILED", message);
}

async function propose(run: Run, conversation: Conversation, step: Step, index: number): Promise<Proposed> {
  const input = {
    idempotencyKey: idempotencyKey(run.id, conversation.id, String(index)),
    platform: step.platform,
    tool: step.tool,
    arguments: step.arguments,
    userRequest: step.userRequest ?? conversation.userRequest,
    rationale: step.rationale,
    conversationId: conversationIdOf(run, conversation),
  };
  const { action, grant, userErrors } = (await run.agent.run(PROPOSE, { input })).data.proposeAction;
  const [refusal] = userErrors;
  if (refusal !== undefined) throw new CommandError("FAILED", `proposal refused, ${refusal.code}: ${refusal.message}`);
  if (action === null) throw new CommandError("FAILED", "the server answers a proposal without an action");
  if (action.status === "BLOCKED") {
    throw blocked(
      run,
      step,
      action.policy.matchedRules.map(({ ruleId }) => ruleId),
    );
  }
  checkEffect(run, step, action.effect);
  return { id: action.id, status: action.status, effect: action.effect, digest: action.digest, token: grant?.token };
}

/**
 * A refusal is the end, unless an earlier attempt has done the thing and only its answer got lost: then the action
 * already has a status that only this step can have given it.
 */
async function accept(
  run: Run,
  actionId: string,
  { attempts }: Pick<Answered<unknown>, "attempts">,
  userErrors: UserErrors,
  goal: readonly Status[],
): Promise<void> {
  const [refusal] = userErrors;
  if (refusal === undefined) return;
  if (attempts > 1) {
    const { data } = await run.agent.run(READ_ACTION, { id: actionId });
    if (data.action !== null && goal.includes(data.action.status)) return;
  }
  throw new CommandError("FAILED", `${refusal.code}: ${refusal.message}`);
}

async function claim(run: Run, id: string): Promise<string> {
  const { grant, userErrors } = (await run.agent.run(CLAIM, { input: { actionId: id } })).data.claimGrant;
  const [refusal] = userErrors;
  if (grant !== null) return grant.token;
  throw new CommandError("FAILED", `no grant, ${refusal?.code ?? "and no reason"}: ${refusal?.message ?? ""}`);
}

async function redeem(run: Run, id: string, token: string, digest: string): Promise<void> {
  const answered = await run.agent.run(REDEEM, { input: { token, digest } });
  await accept(run, id, answered, answered.data.redeemGrant.userErrors, ["EXECUTING"]);
}

async function complete(run: Run, id: string, step: Step): Promise<void> {
  const error = failureOf(step);
  const outcome = error === undefined ? "SUCCEEDED" : "FAILED";
  const input = { actionId: id, outcome, ...(error === undefined ? { result: step.output } : { error }) };
  const answered = await run.agent.run(COMPLETE, { input });
  await accept(run, id, answered, answered.data.completeAction.userErrors, [outcome]);
}

/** Reads back, as auditor, that a person's approval stands in the ledger before the redemption. */
async function checkApproval(run: Run, id: string): Promise<void> {
  const { action } = (await run.auditor.run(READ_ACTION, { id })).data;
  const position = (type: string) => BigInt(action?.entries.find((entry) => entry.type === type)?.seq ?? 0);
  const people = (action?.decisions ?? []).filter(
    ({ verdict, approver }) => verdict === "APPROVE" && approver.kind === "HUMAN",
  );
  const approvedAt = position("ACTION_APPROVED");
  if (people.length === 0 || approvedAt === 0n || approvedAt >= position("GRANT_REDEEMED")) {
    throw new CommandError("FAILED", `action ${id} ran without a person's approval before it`);
  }
  run.counts.writesApproved += 1;
  for (const { approver } of people) {
    run.counts.approvals.set(approver.id, (run.counts.approvals.get(approver.id) ?? 0) + 1);
  }
}

/** Takes one recorded call all the way: proposed, approved where policy asks for it, redeemed, completed. */
export async function replayStep(run: Run, conversation: Conversation, step: Step, index: number): Promise<void> {
  const { counts } = run;
  const { id, status, effect, digest, token } = await propose(run, conversation, step, index);
  counts.steps += 1;
  if (effect === "WRITE") counts.writesProposed += 1;
  else counts.readsPermitted += 1;
  if (status === "PENDING") await run.inbox.approved(id);
  // A run that is continued finds steps an earlier process has taken further.
  const over = status === "SUCCEEDED" || status === "FAILED";
  if (!over && status !== "EXECUTING") await redeem(run, id, token ?? (await claim(run, id)), digest);
  counts.grantsRedeemed += 1;
  if (!over) await complete(run, id, step);
  if (failureOf(step) !== undefined) counts.failedOutputs += 1;
  if (effect === "WRITE") {
    counts.writesExecuted += 1;
    await checkApproval(run, id);
  }
}
