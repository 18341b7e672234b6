import type { LedgerHead, LedgerId } from "../../facts/entry.ts";
import { hexFromHash } from "../../facts/hash.ts";
import { LedgerUnavailableError } from "../../ledger/errors.ts";
import { type EntryRange, readEntry, readEntryByHash } from "../../ledger/read.ts";
import { isOfAllRegions, mergedPage } from "../base/across-regions/merged.ts";
import { builder } from "../base/builder.ts";
import type { Context } from "../base/context.ts";
import { LedgerVerdict } from "../base/enums.ts";
import { badUserInput } from "../base/errors.ts";
import {
  AFTER,
  decodeCursor,
  FIRST,
  type Page,
  type PageArguments,
  pageComplexity,
  pageOf,
  pageSize,
} from "../base/page.ts";
import { headOf, readingAt } from "../base/position.ts";
import { LISTED_REGION, REGION } from "../base/regions.ts";
import { type EntryNode, entryNode, entryOf } from "../base/rows.ts";
import type { Services } from "../base/services.ts";
import { EntryConnection, EntryRef } from "./entry.ts";
import { AuditFilter, entryFilter } from "./filter.ts";
import { recordingRead, searchForPage, seesEntry } from "./reads.ts";

type Verification = Awaited<ReturnType<Services["verify"]>>;

const HeadRef = builder.objectRef<LedgerHead>("LedgerHead").implement({
  description: "The last entry of a ledger.",
  fields: (t) => ({
    seq: t.field({
      type: "Sequence",
      description: "The position of the last entry, which is also the number of entries.",
      resolve: ({ seq }) => seq,
    }),
    hash: t.field({
      type: "Hash",
      description: "The hash of the last entry, which covers all entries before it.",
      resolve: ({ hash }) => hash,
    }),
  }),
});

export const LedgerRef = builder.objectRef<{ readonly id: LedgerId }>("Ledger").implement({
  description: "The ledger of your organization in one region: a chain of entries.",
  fields: (t) => ({
    id: t.exposeID("id", { description: "`<organization>/<region>`." }),
    head: t.field({
      type: HeadRef,
      description: "Its last entry.",
      resolve: (_ledger, _args, context) => headOf(context),
    }),
    publicKeys: t.field({
      type: "JSON",
      description:
        "The public keys, as a JSON Web Key Set (RFC 7517), that verify what servers of this installation signed. Member `purpose` of a key: `facts`, `grants` or `tokens`. Member `exp` of a retired one: until when entries may be recorded that it signed, in seconds since 1970.",
      resolve: (_ledger, _args, { services }) => services.publicKeys(),
    }),
  }),
});

export const ProblemRef = builder.objectRef<Verification["problems"][number]>("LedgerProblem").implement({
  description: "A fault that a verification found.",
  fields: (t) => ({
    verdict: t.field({ type: LedgerVerdict, description: "The kind of fault.", resolve: ({ verdict }) => verdict }),
    seq: t.field({
      type: "Sequence",
      nullable: true,
      description: "The position of the entry; null when the fault has no single position.",
      resolve: ({ seq }) => seq,
    }),
    detail: t.exposeString("detail", { description: "What is wrong, for people." }),
  }),
});

const VerificationRef = builder.objectRef<Verification>("LedgerVerification").implement({
  description: "The result of a verification.",
  fields: (t) => ({
    verdict: t.field({
      type: LedgerVerdict,
      description: "The verdict of the most serious problem; INTACT or EMPTY when there is none.",
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
    head: t.field({
      type: HeadRef,
      description: "The last entry of the ledger when the verification began.",
      resolve: ({ head }) => head,
    }),
    problems: t.field({
      type: [ProblemRef],
      description: "The faults found, ordered by position; empty when there are none.",
      resolve: ({ problems }) => [...problems],
    }),
    durationMs: t.exposeInt("durationMs", { description: "Duration of the verification in milliseconds." }),
  }),
});

builder.queryField("ledger", (t) =>
  t.field({
    type: LedgerRef,
    description: "The ledger of your organization in one region.",
    authScopes: { signedIn: true },
    args: { region: t.arg.string({ description: REGION }) },
    resolve: (_root, _args, { ledger }) => ({ id: ledger }),
  }),
);

interface AskedRange {
  readonly fromSeq: bigint | null | undefined;
  readonly toSeq: bigint | null | undefined;
  /** The cursor that the page continues after. */
  readonly after: bigint | undefined;
  readonly newestFirst: boolean;
}

/** What is left to read of the positions from `fromSeq` to `toSeq` after the cursor, in the order of the page. */
function pageRange({ fromSeq, toSeq, after, newestFirst }: AskedRange): Omit<EntryRange, "limit"> {
  const start = fromSeq === null || fromSeq === undefined ? undefined : fromSeq - 1n;
  const end = toSeq === null || toSeq === undefined ? undefined : toSeq + 1n;
  return newestFirst
    ? { after: start, before: end !== undefined && (after === undefined || end < after) ? end : after, newestFirst }
    : { after: start !== undefined && (after === undefined || start > after) ? start : after, before: end };
}

function entriesOfAllRegions(
  context: Context,
  args: PageArguments,
  filter: typeof AuditFilter.$inferInput | null | undefined,
  newestFirst: boolean,
): Promise<Page<EntryNode>> {
  return mergedPage(context, args, {
    async read(local, { after, limit }) {
      const range = pageRange({ fromSeq: undefined, toSeq: undefined, after, newestFirst });
      const { entries, stoppedAt } = await searchForPage(local, await entryFilter(local, filter), { ...range, limit });
      return { nodes: entries.map(entryNode), stoppedAt };
    },
    positionOf: ({ seq }) => seq,
    recordedAtOf: (row) => entryOf(row).recordedAt,
    newestFirst,
    shown: (local, count) => recordingRead(local, "auditEntries", count, undefined),
  });
}

builder.queryField("auditEntries", (t) =>
  t.field({
    type: EntryConnection,
    description:
      "Entries that you may see and that meet a filter, in ledger order. Reading them is recorded in the ledger. A search that takes longer than five seconds returns a shorter page with `hasNextPage` true: continue after its `endCursor`.",
    authScopes: { signedIn: true },
    complexity: pageComplexity,
    args: {
      region: t.arg.string({ description: LISTED_REGION }),
      filter: t.arg({ type: AuditFilter, description: "Conditions to meet. Default: none." }),
      fromSeq: t.arg({
        type: "Sequence",
        description: "The first position to read, without `region` of the ledger of the home region. Default: 1.",
      }),
      toSeq: t.arg({
        type: "Sequence",
        description: "The last position to read, likewise. Default: the end of the ledger.",
      }),
      newestFirst: t.arg.boolean({ description: "Newest first. Default: oldest first." }),
      first: t.arg.int({ description: FIRST }),
      after: t.arg.string({ description: AFTER }),
    },
    resolve: async (_root, { region, filter, newestFirst, fromSeq, toSeq, ...position }, context) => {
      if (isOfAllRegions(context, region) && (fromSeq ?? toSeq ?? undefined) === undefined) {
        return entriesOfAllRegions(context, position, filter, newestFirst === true);
      }
      const size = pageSize(position);
      const after = decodeCursor(position);
      const range = pageRange({ fromSeq, toSeq, after, newestFirst: newestFirst === true });
      const wanted = await entryFilter(context, filter);
      const asOf = await readingAt(context);
      const { entries, stoppedAt } = await searchForPage(context, wanted, { ...range, limit: size + 1 });
      const nodes = entries.map(entryNode);
      const page = pageOf({ nodes, size, after, asOf, positionOf: ({ seq }) => seq, stoppedAt });
      return recordingRead(context, "auditEntries", page.edges.length, page);
    },
  }),
);

builder.queryField("auditEntry", (t) =>
  t.field({
    type: EntryRef,
    nullable: true,
    description:
      "The entry with this position, this hash, or both. Null when there is none that you may see. Reading it is recorded in the ledger.",
    authScopes: { signedIn: true },
    args: {
      region: t.arg.string({ description: REGION }),
      seq: t.arg({ type: "Sequence", description: "The position of the entry." }),
      hash: t.arg({ type: "Hash", description: "The hash of the entry." }),
    },
    resolve: async (_root, { seq, hash }, context) => {
      const { db, ledger } = context;
      const hex = hash === undefined || hash === null ? undefined : hexFromHash(hash);
      if ((seq ?? undefined) === undefined && hex === undefined) throw badUserInput("Pass `seq` or `hash`.");
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
      "Recomputes the entries of a range from their stored bytes and reports every fault: hashes, links, columns, erasable values, signatures, states, steps and rules of the format, guards of the database.",
    authScopes: { readsLedger: true },
    complexity: 100,
    args: {
      region: t.arg.string({ description: REGION }),
      fromSeq: t.arg({ type: "Sequence", description: "The first position to check. Default: 1." }),
      toSeq: t.arg({ type: "Sequence", description: "The last position to check. Default: the end of the ledger." }),
    },
    async resolve(_root, { fromSeq, toSeq }, { services, ledger, caller }) {
      // A ledger begins with its first reader, also with one who verifies it. What is wrong with one is what verifying is for.
      await services.ledgers.ensure(ledger).catch((error: unknown) => {
        if (!(error instanceof LedgerUnavailableError) || error.code === "LEDGER_UNAVAILABLE") throw error;
      });
      const range = {
        ...(fromSeq === undefined || fromSeq === null ? {} : { fromSeq }),
        ...(toSeq === undefined || toSeq === null ? {} : { toSeq }),
      };
      return services.verify(ledger, range, caller?.principal.id);
    },
  }),
);
