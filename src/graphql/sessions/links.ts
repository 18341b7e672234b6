import { builder } from "../base/builder.ts";
import { entryOf } from "../base/rows.ts";
import { EntryRef } from "../ledger/entry.ts";
import { readSession } from "./reads.ts";
import { SessionRef } from "./session.ts";

builder.prismaObjectFields(EntryRef, (t) => ({
  session: t.field({
    type: SessionRef,
    nullable: true,
    description: "The session it belongs to.",
    resolve: (row, _args, context) => {
      const { session } = entryOf(row).body;
      return typeof session === "string" ? readSession(context, session) : null;
    },
  }),
}));
