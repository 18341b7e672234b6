import type { JsonValue } from "../../facts/canonical.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import { opened } from "../actions/reads.ts";
import { builder } from "../base/builder.ts";
import type { Context } from "../base/context.ts";
import { Effect } from "../base/enums.ts";
import { LATENCY_DESCRIPTION, latencyOf } from "../base/latency.ts";
import { addNode } from "../base/node.ts";
import { bodyWithValues, ENTRY_SELECT, type EntryNode, entryOf, revealed } from "../base/rows.ts";
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
  if (entry.body.arguments !== undefined) return revealed(entry, "arguments");
  const action = await actionOf(row, context);
  return action === null ? undefined : revealed(await opened(context, action), "arguments");
}

export const EntryRef = builder.prismaNode("Entry", {
  name: "AuditEntry",
  description: "One immutable fact of the ledger.",
  select: ENTRY_SELECT,
  id: {
    description: "An opaque id for `node` and other arguments that take an id.",
    resolve: ({ ledger, seq }) => `${ledger}:${seq}`,
  },
  findUnique: (id, { ledger }) => ({ ledger_seq: { ledger, seq: BigInt(id.slice(id.lastIndexOf(":") + 1)) } }),
  fields: (t) => ({
    seq: t.field({
      type: "Sequence",
      description: "Its position: 1 for the first, without gaps.",
      resolve: ({ seq }) => seq,
    }),
    type: t.string({
      description: `What kind of fact it is, one of: ${LISTED_FACT_TYPES}.`,
      resolve: (row) => entryOf(row).type,
    }),
    recordedAt: t.field({
      type: "DateTime",
      description: "The database's clock; never moves backwards within a ledger, and is never used for order.",
      resolve: (row) => entryOf(row).recordedAt,
    }),
    actor: t.field({
      type: PrincipalRef,
      nullable: true,
      description: "Who did it.",
      resolve: (row) => recordedActor(bodyWithValues(entryOf(row))),
    }),
    client: t.field({
      type: ClientRef,
      nullable: true,
      description: "Which client and model made the call.",
      resolve: (row) => recordedClient(bodyWithValues(entryOf(row))),
    }),
    platform: t.string({
      nullable: true,
      description: "The platform of the action.",
      resolve: (row) => text(entryOf(row), "platform"),
    }),
    tool: t.string({
      nullable: true,
      description: "The tool of the action.",
      resolve: (row) => text(entryOf(row), "tool"),
    }),
    effect: t.field({
      type: Effect,
      nullable: true,
      description: "What the tool does to its platform.",
      resolve: (row) => text(entryOf(row), "effect") as "READ" | "WRITE" | null,
    }),
    chainHash: t.field({
      type: "UUID",
      nullable: true,
      description: "The routing chain it belongs to.",
      resolve: (row) => text(entryOf(row), "chain"),
    }),
    sourceChainHash: t.field({
      type: "UUID",
      nullable: true,
      description: "The routing chain its data came from, as the server found it; null when it found none.",
      resolve: (row) => text(entryOf(row), "sourceChain"),
    }),
    arguments: t.field({
      type: "JSON",
      nullable: true,
      description: "The arguments of the action it is about, unless erased; null when the action is not yours to see.",
      resolve: (row, _args, context) => argumentsOf(row, context),
    }),
    result: t.field({
      type: "JSON",
      nullable: true,
      description: "What carrying the action out answered, unless erased.",
      resolve: (row) => revealed(entryOf(row), "result"),
    }),
    latencyMs: t.int({
      nullable: true,
      description: LATENCY_DESCRIPTION,
      resolve: (row) => latencyOf(entryOf(row).body),
    }),
    body: t.field({
      type: "JSON",
      description: "All facts of the entry. Personal values stand in their places unless they were erased.",
      resolve: (row) => bodyWithValues(entryOf(row)),
    }),
    canonical: t.string({
      description: "The text whose UTF-8 bytes `hash` is the SHA-256 of.",
      resolve: ({ entry }) => entry,
    }),
    prevHash: t.field({
      type: "Hash",
      description: "The hash of the entry before it; 64 zeros for the first.",
      resolve: (row) => entryOf(row).prevHash,
    }),
    hash: t.field({ type: "Hash", description: "The SHA-256 of `canonical`.", resolve: (row) => entryOf(row).hash }),
  }),
});

export const EntryConnection = builder.connectionObject(
  { type: EntryRef, name: "AuditEntryConnection", description: "A page of entries." },
  { name: "AuditEntryEdge", description: "An entry on a page." },
);

const POSITION = /^[1-9]\d{0,17}$/;

addNode("AuditEntry", async (context, _nodeId, key) => {
  if (!POSITION.test(key)) return null;
  const [entry] = await readPositions(context, [BigInt(key)]);
  const seen = entry !== undefined && (await seesEntry(context, entry)) ? entry : null;
  return recordingRead(context, "node", seen === null ? 0 : 1, seen);
});
