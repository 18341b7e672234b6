import { type SourcedArgument, sourcedArgumentsIn } from "../../domain/lineage/sources/told.ts";
import { leafPaths } from "../../domain/lineage/values/leaf-paths.ts";
import { Withheld } from "../../facts/payload.ts";
import { ActionRef } from "../actions/action.ts";
import { opened } from "../actions/reads.ts";
import { builder } from "../base/builder.ts";
import type { Context } from "../base/context.ts";
import { perOperation } from "../base/loader.ts";
import { type EntryNode, entryOf, revealed } from "../base/rows.ts";
import { EntryRef } from "../ledger/entry.ts";
import { readPositions, recordingEntries, seesEntry } from "../ledger/reads.ts";

/** Where a value of the arguments of an action is from. */
const ArgumentOrigin = builder.enumType("ArgumentOrigin", {
  description: "Where a value of the arguments came from.",
  values: {
    READ: { description: "What the same caller read before has it." },
    USER: { description: "The person asked for it, as the agent reports in `userRequest`." },
    NONE: { description: "It was seen nowhere before." },
  } as const,
});

/** One value of the arguments, and others of the same action that were read in the same entry. */
interface Shape extends SourcedArgument {
  /** Numbers of values in what was read, by the position of the entry, of all arguments of the action. */
  readonly wanted: ReadonlyMap<string, ReadonlySet<number>>;
}

/** The entry that has what was read, if the caller may read it. */
async function sourceOf(context: Context, { seq }: Shape): Promise<EntryNode | null> {
  if (seq === undefined) return null;
  const [row] = await readPositions(context, [BigInt(seq)]);
  return row !== undefined && (await seesEntry(context, row)) ? row : null;
}

/** Paths of the values of an entry that arguments of one action are from: arguments share them. */
const paths = new WeakMap<Shape["wanted"], Map<string, ReadonlyMap<number, string>>>();

/** Entries of which paths were shown in this operation, and are recorded as read. */
const recordedPaths = perOperation(() => new Map<bigint, Promise<unknown>>());

function pathIn(row: EntryNode, { seq = "", leaf, wanted }: Shape): string | undefined {
  if (leaf === undefined) return undefined;
  const known = paths.get(wanted) ?? new Map<string, ReadonlyMap<number, string>>();
  paths.set(wanted, known);
  let found = known.get(seq);
  if (found === undefined) {
    const result = revealed(entryOf(row), "result");
    found =
      result === undefined || result instanceof Withheld ? new Map() : leafPaths(result, wanted.get(seq) ?? new Set());
    known.set(seq, found);
  }
  return found.get(leaf);
}

const ArgumentSourceRef = builder.objectRef<Shape>("ArgumentSource").implement({
  description:
    "Where a value of the arguments came from, as the server found by comparing what was read. Of a text with several values, there is one for each.",
  fields: (t) => ({
    path: t.exposeString("path", {
      description:
        "Where it is in the arguments, as a JSON Pointer (RFC 6901); within a text that was read as such, `#csv`, `#html`, `#json`, `#table` or `#yaml` and a pointer follow.",
    }),
    and: t.exposeString("and", {
      nullable: true,
      description: "Of two values that are one in what was read, such as names, where the second is.",
    }),
    start: t.exposeInt("start", {
      nullable: true,
      description: "Where it begins within the text at `path`, in UTF-16 code units; null for the whole value.",
    }),
    end: t.exposeInt("end", { nullable: true, description: "Where it ends there." }),
    origin: t.field({
      type: ArgumentOrigin,
      description: "Where it is from; USER also where something that was read has it, too.",
      resolve: ({ said, seq }) => (said ? "USER" : seq === undefined ? "NONE" : "READ"),
    }),
    platforms: t.stringList({
      description: "The platforms where it was read.",
      resolve: ({ platforms = [] }) => [...platforms],
    }),
    match: t.string({
      nullable: true,
      description:
        "EXACT: character by character. NORMALISED: in another form. PARTIAL: within a text, here or there. Null: not looked up.",
      resolve: ({ match }) => match,
    }),
    distinctive: t.boolean({
      description: "False: it is too short or too common to tell where it is from, and rules do not count it.",
      resolve: ({ common }) => common !== true,
    }),
    untrusted: t.boolean({
      description:
        "All platforms where it was read were marked as untrusted when the action was proposed, and the person did not ask for it.",
      resolve: ({ untrusted }) => untrusted === true,
    }),
    sourceEntry: t.field({
      type: EntryRef,
      nullable: true,
      complexity: 2,
      description:
        "An entry that has what was read, if you may read it; of several, one of a trusted platform. Reading it is recorded in the ledger unless you did what it records.",
      resolve: async (source, _args, context) => {
        const row = await sourceOf(context, source);
        const [shown] = row === null ? [] : await recordingEntries(context, "argumentSource.sourceEntry", [row]);
        return shown ?? null;
      },
    }),
    sourcePath: t.string({
      nullable: true,
      complexity: 2,
      description:
        "Where it is in the `result` of that entry; null where that was erased or not looked up. Reading it is recorded like the entry.",
      resolve: async (source, _args, context) => {
        const row = source.leaf === undefined ? null : await sourceOf(context, source);
        if (row === null) return null;
        // A path has names of what was read.
        const shown = recordedPaths(context);
        if (!shown.has(row.seq)) shown.set(row.seq, recordingEntries(context, "argumentSource.sourcePath", [row]));
        await shown.get(row.seq);
        return pathIn(row, source) ?? null;
      },
    }),
  }),
});

builder.prismaObjectFields(ActionRef, (t) => ({
  argumentSources: t.field({
    type: [ArgumentSourceRef],
    complexity: { field: 2, multiplier: 10 },
    description:
      "Where each argument of a write came from, at most 200: values that only untrusted platforms have and those without a source are kept first. Empty for a read, and where the arguments were erased.",
    resolve: async (row, _args, context): Promise<Shape[]> => {
      const evidence = revealed(await opened(context, row), "evidence");
      const sources = evidence instanceof Withheld ? [] : sourcedArgumentsIn(evidence);
      const wanted = new Map<string, Set<number>>();
      for (const { seq, leaf } of sources) {
        if (seq !== undefined && leaf !== undefined) wanted.set(seq, (wanted.get(seq) ?? new Set()).add(leaf));
      }
      return sources.map((source) => ({ ...source, wanted }));
    },
  }),
}));
