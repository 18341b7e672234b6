import type { JsonValue } from "../../facts/canonical.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import { opened } from "../actions/reads.ts";
import { builder } from "../base/builder.ts";
import type { Context } from "../base/context.ts";
import { Effect } from "../base/enums.ts";
import { LATENCY_DESCRIPTION, latencyOf } from "../base/latency.ts";
import { addNode } from "../base/node.ts";
import { LARGE_VALUE } from "../base/response-budget.ts";
import { bodyWithValues, ENTRY_SELECT, type EntryNode, entryOf, revealed, shownJson } from "../base/rows.ts";
import { ClientRef, PrincipalRef, recordedActor, recordedClient } from "../directory/principal.ts";
import { LISTED_FACT_TYPES } from "./fact-types.ts";
import { actionOf, readPositions, recordingRead, seesEntry } from "./reads.ts";

function text(entry: LedgerEntry, key: string): string | null {
  const value = entry.body[key];
  return typeof value === "string" ? value : null;
}

/** They are recorded once, where the action was proposed. */
async function argumentsOf(row: EntryNode, context: Context): Promise<JsonValue | undefined> {
  const entry = entryOf(row);
  if (entry.body.arguments !== undefined) return shownJson(revealed(entry, "arguments"));
  const action = await actionOf(row, context);
  return action === null ? undefined : shownJson(revealed(await opened(context, action), "arguments"));
}

export const EntryRef = builder.prismaNode("Entry", {
  name: "AuditEntry",
  description: "An entry: one immutable fact in the ledger.",
  select: ENTRY_SELECT,
  id: {
    description: "An opaque id for `node` and other arguments that take an id.",
    resolve: ({ ledger, seq }) => `${ledger}:${seq}`,
  },
  findUnique: (id, { ledger }) => ({ ledger_seq: { ledger, seq: BigInt(id.slice(id.lastIndexOf(":") + 1)) } }),
  fields: (t) => ({
    seq: t.field({
      type: "Sequence",
      description: "Its position in the ledger: 1 for the first, without gaps.",
      resolve: ({ seq }) => seq,
    }),
    type: t.string({
      description: `The type of the fact. Values: ${LISTED_FACT_TYPES}.`,
      resolve: (row) => entryOf(row).type,
    }),
    recordedAt: t.field({
      type: "DateTime",
      description:
        "When it was recorded, by the database's clock. Never moves backwards within a ledger; order entries by `seq`.",
      resolve: (row) => entryOf(row).recordedAt,
    }),
    actor: t.field({
      type: PrincipalRef,
      nullable: true,
      description: "The principal that did it, as it was at the time; null when the server did it.",
      resolve: (row) => recordedActor(entryOf(row)),
    }),
    client: t.field({
      type: ClientRef,
      nullable: true,
      description: "The client software and the model that made the call; null when the server made the entry.",
      resolve: (row) => recordedClient(entryOf(row)),
    }),
    platform: t.string({
      nullable: true,
      description: "The platform of the action it is about; null when it is about none.",
      resolve: (row) => text(entryOf(row), "platform"),
    }),
    tool: t.string({
      nullable: true,
      description: "The tool of the action it is about; null when it is about none.",
      resolve: (row) => text(entryOf(row), "tool"),
    }),
    effect: t.field({
      type: Effect,
      nullable: true,
      description:
        "Whether that tool changes data on its platform, according to the catalog; null when the entry is about no action.",
      resolve: (row) => text(entryOf(row), "effect") as "READ" | "WRITE" | null,
    }),
    chainHash: t.field({
      type: "UUID",
      nullable: true,
      description: "The routing chain of the action it is about; null when it is about none.",
      resolve: (row) => text(entryOf(row), "chain"),
    }),
    sourceChainHash: t.field({
      type: "UUID",
      nullable: true,
      description: "The routing chain that the action's data most likely came from; null when the server found none.",
      resolve: (row) => text(entryOf(row), "sourceChain"),
    }),
    arguments: t.field({
      complexity: LARGE_VALUE,
      type: "JSON",
      nullable: true,
      description:
        "The arguments of the action it is about; null when there is no such action, or when you may not see it. When the stored ones are missing, or are not those that were recorded, their commitment with the reason.",
      resolve: (row, _args, context) => argumentsOf(row, context),
    }),
    result: t.field({
      complexity: LARGE_VALUE,
      type: "JSON",
      nullable: true,
      description:
        "The reported return value of the tool; null when the entry reports none. When the stored one is missing, or is not the one that was recorded, its commitment with the reason.",
      resolve: (row) => shownJson(revealed(entryOf(row), "result")),
    }),
    latencyMs: t.int({
      nullable: true,
      description: LATENCY_DESCRIPTION,
      resolve: (row) => latencyOf(entryOf(row).body),
    }),
    body: t.field({
      complexity: LARGE_VALUE,
      type: "JSON",
      description:
        'All members of the entry (see src/facts/FORMAT.md), with personal and free-text values filled in. In place of a value that is missing, or is not the one that was recorded, stands its commitment with the reason, as `{"commit": …, "problem": "MISSING"}` or `"ALTERED"`.',
      resolve: (row) => bodyWithValues(entryOf(row)),
    }),
    canonical: t.string({
      complexity: LARGE_VALUE,
      description: "The stored text of the entry. `hash` is the SHA-256 of its UTF-8 bytes.",
      resolve: ({ entry }) => entry,
    }),
    prevHash: t.field({
      type: "Hash",
      description: "The hash of the previous entry; 64 zeros for the first.",
      resolve: (row) => entryOf(row).prevHash,
    }),
    hash: t.field({ type: "Hash", description: "The SHA-256 of `canonical`.", resolve: (row) => entryOf(row).hash }),
  }),
});

export const EntryConnection = builder.connectionObject(
  { type: EntryRef, name: "AuditEntryConnection", description: "A page of entries." },
  { name: "AuditEntryEdge", description: "An entry with its cursor." },
);

const POSITION = /^[1-9]\d{0,17}$/;

addNode("AuditEntry", async (context, _nodeId, key) => {
  if (!POSITION.test(key)) return null;
  const [entry] = await readPositions(context, [BigInt(key)]);
  const seen = entry !== undefined && (await seesEntry(context, entry)) ? entry : null;
  return recordingRead(context, "node", seen === null ? 0 : 1, seen);
});
