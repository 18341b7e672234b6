import { unknownPlatform } from "../../domain/policy/unknown-platform.ts";
import { FACT_TYPES } from "../../facts/registry.ts";
import { wordsOf } from "../../ledger/search/filter.ts";
import type { EntryFilter } from "../../ledger/search.ts";
import { builder } from "../base/builder.ts";
import type { Context } from "../base/context.ts";
import { Effect } from "../base/enums.ts";
import { badUserInput } from "../base/errors.ts";
import { uuidOfNodeId } from "../base/node-id.ts";
import { LISTED_FACT_TYPES } from "./fact-types.ts";
import { searchForPage } from "./reads.ts";

/** What a search may ask for: each word, and each part of a value, is looked for in every entry that the index does not exclude. */
const MAX_WORDS = 16;
const MAX_TEXT = 1_000;
/** Characters of the JSON of `contains`. */
const MAX_FRAGMENT = 4_000;

/** Characters of a value that a message repeats. */
const MAX_SHOWN = 200;

export const AuditFilter = builder.inputType("AuditFilter", {
  description: "Conditions that an entry must meet, all of them. An omitted or null member is no condition.",
  fields: (t) => ({
    actorId: t.id({
      description: "The id of the principal that did it: for an agent its own id, not that of the person it acted for.",
    }),
    onBehalfOfId: t.id({ description: "The id of the person that the actor acted for." }),
    actorEmail: t.string({
      description:
        "The e-mail address, ignoring case, of the actor or of the person the actor acted for. Erased addresses are not found.",
    }),
    sessionId: t.id({ description: "The session it belongs to." }),
    actionId: t.id({ description: "The action it is about." }),
    types: t.stringList({
      description: `Entries of any of these types; others are refused. Values: ${LISTED_FACT_TYPES}.`,
    }),
    platform: t.string({
      description:
        "The platform of the action: one of the catalog, or of an entry that you may see; others are refused.",
    }),
    tool: t.string({ description: "The tool of the action." }),
    effect: t.field({ type: Effect, description: "Whether the tool changes data on its platform." }),
    chainHash: t.field({ type: "UUID", description: "The routing chain of the action it is about." }),
    sourceChainHash: t.field({ type: "UUID", description: "The routing chain its data came from." }),
    recordedFrom: t.field({ type: "DateTime", description: "Recorded at this instant or later." }),
    recordedTo: t.field({ type: "DateTime", description: "Recorded at this instant or earlier." }),
    text: t.string({
      description: "Words separated by spaces, at most 16. Each must occur, ignoring case, in some value of the entry.",
    }),
    contains: t.field({
      type: "JSON",
      description:
        "A JSON value that the arguments or the result contain, as PostgreSQL's `jsonb @>` defines it: objects match by some of their members, arrays by some of their elements.",
    }),
  }),
});

type Given = typeof AuditFilter.$inferInput;

/**
 * The conditions that `given` puts on entries of the caller's ledger. Throws BAD_USER_INPUT for a type or a platform that there is
 * not: searching for it would find nothing, and look like an answer.
 */
export async function entryFilter(context: Context, given: Given | null | undefined): Promise<EntryFilter> {
  if (given === null || given === undefined) return {};
  checkExtent(given);
  const { ledger } = context;
  const { sessionId, actionId, ...rest } = given;
  const unknown = rest.types?.find((type) => !FACT_TYPES.some((known) => known === type));
  if (unknown !== undefined) {
    const name = JSON.stringify(unknown.slice(0, MAX_SHOWN));
    throw badUserInput(`\`types\` has ${name}, which is no type of entry. There are ${LISTED_FACT_TYPES}.`);
  }
  if (isGiven(rest.platform)) await checkPlatform(context, rest.platform);
  return {
    ...rest,
    ...(isGiven(sessionId) ? { sessionId: uuidOfNodeId("Session", ledger, sessionId) } : {}),
    ...(isGiven(actionId) ? { actionId: uuidOfNodeId("Action", ledger, actionId) } : {}),
  };
}

/** Throws BAD_USER_INPUT for more than can be searched for in a time that others do not notice. */
function checkExtent(given: Given): void {
  for (const [name, value] of Object.entries(given)) {
    if (typeof value !== "string" || value.length <= MAX_TEXT || name === "contains") continue;
    throw badUserInput(`\`${name}\` has at most ${MAX_TEXT} characters.`);
  }
  const words = wordsOf(given.text).length;
  if (words > MAX_WORDS) throw badUserInput(`\`text\` has at most ${MAX_WORDS} words, not ${words}.`);
  if ((given.types?.length ?? 0) > FACT_TYPES.length) throw badUserInput("`types` names each type once.");
  if (given.contains !== undefined && JSON.stringify(given.contains).length > MAX_FRAGMENT) {
    throw badUserInput(`\`contains\` has at most ${MAX_FRAGMENT} characters.`);
  }
}

/**
 * A platform is one of the catalog, or of an entry that the caller may read: an earlier catalog may have had it, and a proposal may
 * name any. The search index tells that in milliseconds; a search that is cut short for its length decides nothing.
 */
async function checkPlatform(context: Context, platform: string): Promise<void> {
  const { platforms } = context.services;
  if (platforms.includes(platform)) return;
  const { entries, stoppedAt } = await searchForPage(context, { platform }, { limit: 1 });
  if (entries.length > 0 || stoppedAt !== undefined) return;
  throw badUserInput(
    `\`platform\` ${unknownPlatform(platform, platforms)}. No entry that you may see names it either.`,
  );
}

/** Whether `value` is a condition, which an empty text is: nothing meets it. */
function isGiven<Value>(value: Value | null | undefined): value is Value {
  return value !== undefined && value !== null;
}

/** Whether `filter` has no condition. */
export function isEmptyFilter(filter: EntryFilter): boolean {
  return Object.values(filter).every((value) => value === undefined || value === null);
}
