import { OBJECTION_CODES } from "../../domain/actions/decide/eligibility.ts";
import type { JsonValue } from "../../facts/canonical.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import { instant } from "../../facts/entry.ts";
import { builder } from "../base/builder.ts";
import type { Context } from "../base/context.ts";
import { ActionStatus, Effect } from "../base/enums.ts";
import { LATENCY_DESCRIPTION, latencyOf } from "../base/latency.ts";
import { addNode } from "../base/node.ts";
import { uuidOfNodeId } from "../base/node-id.ts";
import { LARGE_VALUE } from "../base/response-budget.ts";
import { entryOf, revealed, shownJson, shownText } from "../base/rows.ts";
import { ClientRef, PrincipalRef, recordedActor, recordedClient, UNKNOWN_CLIENT } from "../directory/principal.ts";
import { PolicyEvaluation, recordedPolicy } from "./policy.ts";
import { blockedBecause, mayDecide, noteShown, opened, readAction, readOutcomeOf, seesAction } from "./reads.ts";
import { ACTION_SELECT, type ActionNode, viewOf } from "./rows.ts";

function proposalOf(row: ActionNode): LedgerEntry {
  return viewOf(row).proposal;
}

function text(entry: LedgerEntry, key: string): string {
  const value = entry.body[key];
  if (typeof value !== "string") throw new Error(`entry ${entry.seq} of ${entry.ledger} has no ${key}`);
  return value;
}

function optionalText(value: JsonValue | undefined): string | null {
  return typeof value === "string" ? value : null;
}

/** A free text of the proposal; null when there was none. */
async function freeText(context: Context, row: ActionNode, key: string): Promise<string | null> {
  return shownText(revealed(await opened(context, row), key)) ?? null;
}

export const ActionRef = builder.prismaNode("Action", {
  name: "Action",
  description: "One call of a tool that an agent proposed, with the decision about it and its outcome.",
  select: ACTION_SELECT,
  id: {
    description: "An opaque id for `node` and other arguments that take an id.",
    resolve: ({ ledger, id }) => `${ledger}:${id}`,
  },
  findUnique: (id, { ledger }) => ({ ledger_id: { ledger, id: id.slice(id.lastIndexOf(":") + 1) } }),
  fields: (t) => ({
    uuid: t.field({
      type: "UUID",
      description:
        "The id used in ledger entries, the digest and grants. Arguments that take an action's `id` accept it too.",
      resolve: (row) => viewOf(row).state.id,
    }),
    status: t.field({
      type: ActionStatus,
      description: "Its current status.",
      resolve: (row) => viewOf(row).state.status,
    }),
    platform: t.string({
      description: "The platform the tool belongs to, as the catalog names it.",
      resolve: (row) => text(proposalOf(row), "platform"),
    }),
    tool: t.string({
      description: "The name of the tool, as the catalog names it on its platform.",
      resolve: (row) => text(proposalOf(row), "tool"),
    }),
    effect: t.field({
      type: Effect,
      description: "Whether the tool changes data on its platform, according to the catalog.",
      resolve: (row) => text(proposalOf(row), "effect") as "READ" | "WRITE",
    }),
    region: t.string({
      description: "The region where its platform keeps its data, according to the catalog.",
      resolve: (row) => text(proposalOf(row), "region"),
    }),
    arguments: t.field({
      complexity: LARGE_VALUE,
      type: "JSON",
      description:
        'The arguments to call the tool with. When the stored ones are missing, or are not those that were recorded, their commitment with the reason: `{"commit": "<64 hex digits of a SHA-256>", "problem": "MISSING"}` or `"ALTERED"`.',
      resolve: async (row, _args, context) => {
        noteShown(context, row);
        // Null is a value like any other.
        return shownJson(revealed(await opened(context, row), "arguments")) ?? null;
      },
    }),
    userRequest: t.string({
      complexity: LARGE_VALUE,
      nullable: true,
      description:
        "What the person asked the agent for, as the agent passed it on; null when it passed nothing on. `[missing]` or `[altered]` when the stored text is gone, or is not the one that was recorded.",
      resolve: (row, _args, context) => freeText(context, row, "userRequest"),
    }),
    rationale: t.string({
      complexity: LARGE_VALUE,
      nullable: true,
      description:
        "The agent's reason for this step, in its own words; null when it gave none. `[missing]` or `[altered]` when the stored text is gone, or is not the one that was recorded.",
      resolve: (row, _args, context) => freeText(context, row, "rationale"),
    }),
    rendered: t.string({
      complexity: LARGE_VALUE,
      description:
        "The text that approvers decide on: one member a line, in lines of at most 100 columns. What could not be seen, or could be taken for something else, is marked in ⟨⟩; long values are shortened, with length and hash. `[missing]` or `[altered]` when the stored text is gone, or is not the one that was recorded: then nobody can decide.",
      resolve: async (row, _args, context) => {
        noteShown(context, row);
        return (await freeText(context, row, "rendered")) ?? "[missing]";
      },
    }),
    digest: t.field({
      type: "Hash",
      description:
        "The hash that an approval is bound to: SHA-256 over the RFC 8785 form of action id, platform, tool, arguments, agent, person, region, policy and `rendered`.",
      resolve: (row, _args, context) => {
        noteShown(context, row);
        return text(proposalOf(row), "digest");
      },
    }),
    requestedBy: t.field({
      type: PrincipalRef,
      description: "The caller that proposed it, with the person it acts for.",
      resolve: async (row, _args, context) => {
        const actor = recordedActor(await opened(context, row));
        if (actor === undefined) throw new Error(`action ${viewOf(row).state.id} names nobody`);
        return actor;
      },
    }),
    client: t.field({
      type: ClientRef,
      description: "The client software and the model that proposed it.",
      resolve: async (row, _args, context) => recordedClient(await opened(context, row)) ?? UNKNOWN_CLIENT,
    }),
    policy: t.field({
      type: PolicyEvaluation,
      description: "How the policy was evaluated when it was proposed.",
      resolve: (row) => recordedPolicy(row),
    }),
    chainHash: t.field({
      type: "UUID",
      description:
        "The routing chain it is a step of: consecutive steps of one principal in one conversation on one platform.",
      resolve: (row) => text(proposalOf(row), "chain"),
    }),
    sourceChainHash: t.field({
      type: "UUID",
      nullable: true,
      description:
        "The routing chain its data most likely came from, determined by the server; null when it found none.",
      resolve: (row) => optionalText(proposalOf(row).body.sourceChain),
    }),
    viewerCanDecide: t.boolean({
      description:
        "Whether you can approve it now. After you approved it this is false; you can still deny it while it is PENDING.",
      resolve: (row, _args, context) => mayDecide(context, row),
    }),
    viewerBlockedBecause: t.stringList({
      description: `Why you cannot approve it now, most important first; empty when you can. Values: ${OBJECTION_CODES.join(", ")}, and LEDGER_CORRUPT when a stored value is not the one that was recorded.`,
      resolve: async (row, _args, context) => [...(await blockedBecause(context, row))],
    }),
    expiresAt: t.field({
      type: "DateTime",
      nullable: true,
      description:
        "The deadline of its status. PENDING: people must decide by then, or it is EXPIRED. ALLOWED, APPROVED: its grant must be redeemed by then, or it is EXPIRED. EXECUTING: its outcome must be reported by then, or it is AMBIGUOUS.",
      resolve: (row) => {
        const { status, expiresAt, grantExpiresAt } = viewOf(row).state;
        const lapses = status === "ALLOWED" || status === "APPROVED" ? grantExpiresAt : expiresAt;
        return lapses && instant(lapses);
      },
    }),
    result: t.field({
      complexity: LARGE_VALUE,
      type: "JSON",
      nullable: true,
      description:
        "The tool's return value as the agent reported it; null before it is reported and when none was. When the stored one is missing, or is not the one that was recorded, its commitment with the reason.",
      resolve: async (row, _args, context) => {
        const completed = await completionOf(row, context);
        return completed === undefined ? null : shownJson(revealed(completed, "result"));
      },
    }),
    reportedLate: t.boolean({
      description:
        "Whether the outcome was told after its deadline, by the agent or by an administrator; false before there is one.",
      resolve: async (row, _args, context) => (await completionOf(row, context))?.body.late === true,
    }),
    latencyMs: t.int({
      nullable: true,
      description: LATENCY_DESCRIPTION,
      resolve: async (row, _args, context) => {
        const completed = await completionOf(row, context);
        return completed === undefined ? null : latencyOf(completed.body);
      },
    }),
  }),
});

/** The entry that reported the outcome. Read only for a status that has one. */
export async function completionOf(row: ActionNode, context: Context): Promise<LedgerEntry | undefined> {
  const { status } = viewOf(row).state;
  if (status !== "SUCCEEDED" && status !== "FAILED") return undefined;
  const rows = await readOutcomeOf(context, row);
  return rows.map(entryOf).findLast(({ type }) => type === "ACTION_COMPLETED");
}

export const ActionConnection = builder.connectionObject(
  { type: ActionRef, name: "ActionConnection", description: "A page of actions." },
  { name: "ActionEdge", description: "An action with its cursor." },
);

builder.prismaObjectField(ActionRef, "repeats", (t) =>
  t.field({
    type: ActionRef,
    nullable: true,
    description:
      "An action of the same caller with the same tool and arguments that was denied before this one was proposed: look at its `decisions` before you decide. Null when there was none, or you may not see it.",
    resolve: async (row, _args, context) => {
      const { repeats } = proposalOf(row).body;
      const action = typeof repeats === "string" ? await readAction(context, repeats) : null;
      return action !== null && seesAction(context, action) ? action : null;
    },
  }),
);

addNode("Action", async (context, nodeId) => {
  const action = await readAction(context, uuidOfNodeId("Action", context.ledger, nodeId));
  return action !== null && seesAction(context, action) ? action : null;
});
