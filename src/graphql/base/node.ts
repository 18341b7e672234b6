import { brandWithType } from "@pothos/core";
import { readSession, recordingSession } from "../sessions/session.ts";
import { builder } from "./builder.ts";
import type { Context } from "./context.ts";
import { decodeNodeId, splitKey, uuidOf } from "./node-id.ts";
import { readAction, readPositions, recordingRead, seesAction, seesEntry } from "./reads.ts";

const POSITION = /^[1-9]\d{0,17}$/;

/** What `nodeId` names, if the caller may see it; null for everything else, whatever the reason. */
async function readNode(context: Context, nodeId: string): Promise<object | null> {
  const { typename, id } = decodeNodeId(nodeId);
  const { ledger, key } = splitKey(id);
  if (ledger !== context.ledger) return null;
  if (typename === "Action") {
    const action = await readAction(context, uuidOf("Action", ledger, nodeId));
    return action !== null && seesAction(context, action) ? branded(action, "Action") : null;
  }
  if (typename === "AuditEntry" && POSITION.test(key)) {
    const [entry] = await readPositions(context, [BigInt(key)]);
    const seen = entry !== undefined && (await seesEntry(context, entry)) ? branded(entry, "AuditEntry") : null;
    return recordingRead(context, "node", seen === null ? 0 : 1, seen);
  }
  if (typename !== "Session") return null;
  const found = await readSession(context, uuidOf("Session", ledger, nodeId));
  const session = await recordingSession(context, "node", found);
  return session === null ? null : branded(session, "Session");
}

function branded(value: object, typename: "Action" | "AuditEntry" | "Session"): object {
  brandWithType(value, typename as Parameters<typeof brandWithType>[1]);
  return value;
}

builder.queryField("node", (t) =>
  t.field({
    type: builder.nodeInterfaceRef(),
    nullable: true,
    description: "What this id names; null when there is no such thing that you may see.",
    authScopes: { signedIn: true },
    args: { id: t.arg.id({ required: true, description: "The id of an action, an entry or a session." }) },
    resolve: (_root, { id }, context) => readNode(context, id),
  }),
);
