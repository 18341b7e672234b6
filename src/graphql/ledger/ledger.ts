import type { LedgerHead, LedgerId } from "../../facts/entry.ts";
import { hexFromHash } from "../../facts/hash.ts";
import { readEntry, readEntryByHash } from "../../ledger/read.ts";
import { builder } from "../base/builder.ts";
import { LedgerVerdict } from "../base/enums.ts";
import { badUserInput } from "../base/errors.ts";
import { AFTER, decodeCursor, FIRST, pageComplexity, pageOf, pageSize } from "../base/page.ts";
import { headOf, readingAt } from "../base/position.ts";
import { entryNode } from "../base/rows.ts";
import type { Services } from "../base/services.ts";
import { EntryConnection, EntryRef } from "./entry.ts";
import { AuditFilter, entryFilter } from "./filter.ts";
import { recordingRead, search, seesEntry } from "./reads.ts";

type Verification = Awaited<ReturnType<Services["verify"]>>;

const HeadRef = builder.objectRef<LedgerHead>("LedgerHead").implement({
  description: "The last entry of a ledger.",
  fields: (t) => ({
    seq: t.field({
      type: "Sequence",
      description: "Its position: how many entries there are.",
      resolve: ({ seq }) => seq,
    }),
    hash: t.field({
      type: "Hash",
      description: "Its hash, which stands for the whole ledger.",
      resolve: ({ hash }) => hash,
    }),
  }),
});

const LedgerRef = builder.objectRef<{ readonly id: LedgerId }>("Ledger").implement({
  description: "Your organization's chain of entries in this region.",
  fields: (t) => ({
    id: t.exposeID("id", { description: "`<organization>/<region>`." }),
    head: t.field({
      type: HeadRef,
      description: "Where it ends now.",
      resolve: (_ledger, _args, context) => headOf(context),
    }),
    publicKeys: t.field({
      type: "JSON",
      description: "The JSON Web Key Set (RFC 7517) that grants and tokens of this server verify with.",
      resolve: (_ledger, _args, { services }) => services.publicKeys(),
    }),
  }),
});

const ProblemRef = builder.objectRef<Verification["problems"][number]>("LedgerProblem").implement({
  description: "Something that is not as it must be.",
  fields: (t) => ({
    verdict: t.field({ type: LedgerVerdict, description: "What kind of thing.", resolve: ({ verdict }) => verdict }),
    seq: t.field({
      type: "Sequence",
      nullable: true,
      description: "Where; null when it is no single position.",
      resolve: ({ seq }) => seq,
    }),
    detail: t.exposeString("detail", { description: "What is wrong, for people." }),
  }),
});

const VerificationRef = builder.objectRef<Verification>("LedgerVerification").implement({
  description:
    "What a verification found. INTACT only when everything that was asked for was re-hashed and found right.",
  fields: (t) => ({
    verdict: t.field({
      type: LedgerVerdict,
      description: "The gravest of the problems, or INTACT.",
      resolve: ({ verdict }) => verdict,
    }),
    fromSeq: t.field({
      type: "Sequence",
      description: "The first position checked.",
      resolve: ({ fromSeq }) => fromSeq,
    }),
    toSeq: t.field({ type: "Sequence", description: "The last position checked.", resolve: ({ toSeq }) => toSeq }),
    checkedEntries: t.field({
      type: "Sequence",
      description: "How many entries were re-hashed.",
      resolve: ({ checkedEntries }) => checkedEntries,
    }),
    head: t.field({ type: HeadRef, description: "Where the ledger ended at the time.", resolve: ({ head }) => head }),
    problems: t.field({
      type: [ProblemRef],
      description: "What was found, the first positions first.",
      resolve: ({ problems }) => [...problems],
    }),
    durationMs: t.exposeInt("durationMs", { description: "How long it took, in milliseconds." }),
  }),
});

builder.queryField("ledger", (t) =>
  t.field({
    type: LedgerRef,
    description: "Your organization's ledger in this region.",
    authScopes: { signedIn: true },
    resolve: (_root, _args, { ledger }) => ({ id: ledger }),
  }),
);

builder.queryField("auditEntries", (t) =>
  t.field({
    type: EntryConnection,
    description: "Entries you may see that meet a filter, in ledger order. That you read them is recorded.",
    authScopes: { signedIn: true },
    complexity: pageComplexity,
    args: {
      filter: t.arg({ type: AuditFilter, description: "Only those that meet this filter; all when left out." }),
      newestFirst: t.arg.boolean({ description: "Newest first instead of oldest first." }),
      first: t.arg.int({ description: FIRST }),
      after: t.arg.string({ description: AFTER }),
    },
    resolve: async (_root, { filter, newestFirst, ...position }, context) => {
      const size = pageSize(position);
      const after = decodeCursor(position);
      const range = newestFirst === true ? { before: after, newestFirst } : { after };
      const wanted = entryFilter(context.ledger, filter);
      const asOf = await readingAt(context);
      const found = await search(context, wanted, { ...range, limit: size + 1 });
      const page = pageOf({ nodes: found.map(entryNode), size, after, asOf, positionOf: ({ seq }) => seq });
      return recordingRead(context, "auditEntries", page.edges.length, page);
    },
  }),
);

builder.queryField("auditEntry", (t) =>
  t.field({
    type: EntryRef,
    nullable: true,
    description:
      "One entry, by position or by hash; by both, the one that has both. Null when there is none you may see. That you read it is recorded.",
    authScopes: { signedIn: true },
    args: {
      seq: t.arg({ type: "Sequence", description: "Its position." }),
      hash: t.arg({ type: "Hash", description: "Its hash." }),
    },
    resolve: async (_root, { seq, hash }, context) => {
      const { db, ledger } = context;
      const hex = hash === undefined || hash === null ? undefined : hexFromHash(hash);
      if ((seq ?? undefined) === undefined && hex === undefined) throw badUserInput("Say `seq` or `hash`.");
      const entry =
        seq === undefined || seq === null
          ? await readEntryByHash(db, ledger, hex ?? "")
          : await readEntry(db, ledger, seq);
      const named = entry === undefined || (hex !== undefined && entry.hash !== hex) ? undefined : entryNode(entry);
      const seen = named !== undefined && (await seesEntry(context, named)) ? named : null;
      return recordingRead(context, "auditEntry", seen === null ? 0 : 1, seen);
    },
  }),
);

builder.queryField("verifyLedger", (t) =>
  t.field({
    type: VerificationRef,
    description:
      "Re-hashes entries from stored bytes and checks all that holds them together. Both ends belong to the range.",
    authScopes: { readsLedger: true },
    complexity: 100,
    args: {
      fromSeq: t.arg({ type: "Sequence", description: "The first position to check; 1 when left out." }),
      toSeq: t.arg({ type: "Sequence", description: "The last position to check; the head when left out." }),
    },
    async resolve(_root, { fromSeq, toSeq }, { services, ledger }) {
      // A ledger begins with its first reader, also with one who verifies it.
      await services.ledgers.ensure(ledger);
      return services.verify(ledger, {
        ...(fromSeq === undefined || fromSeq === null ? {} : { fromSeq }),
        ...(toSeq === undefined || toSeq === null ? {} : { toSeq }),
      });
    },
  }),
);
