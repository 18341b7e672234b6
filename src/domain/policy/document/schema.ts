import { z } from "zod";
import { CHANNEL_KINDS } from "../../../facts/areas/channels.ts";
import { ASSURANCES } from "../../../facts/assurance.ts";
import { nameSchema, regionSchema } from "../../identity/names.ts";
import { MAX_CONDITION } from "../conditions/parse.ts";
import { durationSchema, secondsOf } from "./duration.ts";

/** An id of a rule: it appears in entries, in messages and on the command line. */
const id = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, "has to be of small letters, digits and hyphens, at most 64");
const text = z.string().min(1).max(1_000);
const MAX_NEEDED = 20;

const platform = z.strictObject({
  region: regionSchema.describe("where the platform keeps its data"),
  untrusted: z.literal(true).optional().describe("strangers write what is read there, such as web pages and messages"),
});

const tool = z.strictObject({
  platform: nameSchema,
  name: nameSchema,
  effect: z.enum(["READ", "WRITE"]).describe("READ leaves the platform as it was; WRITE may not"),
  data: z.array(nameSchema).max(20).default([]).describe("categories of data that it handles, such as personal"),
  required: z.array(nameSchema).max(100).default([]).describe("arguments without which a call is forbidden"),
});

/** Of a document: the database keeps their values beside the entry, and their number bounds what that takes. */
const MAX_MEASURES = 8;

const measure = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9_-]{0,31}$/, "has to be of small letters, digits, hyphens and underscores, at most 32"),
  path: z
    .string()
    .max(200)
    .regex(/^[^.]+(?:\.[^.]+)*$/, "has to be the names of members, with a point between two")
    .describe("where in the arguments it is, such as amount or payment.total"),
  tools: z
    .array(z.strictObject({ platform: nameSchema, name: nameSchema.optional() }))
    .min(1)
    .max(500)
    .optional()
    .describe("the tools that it concerns, which have to be called with it; left out, each call that has it"),
});

const names = z.array(nameSchema).min(1).max(20);

const channel = z
  .strictObject({
    name: nameSchema.optional().describe("one channel, by its name"),
    kind: z.enum(CHANNEL_KINDS).optional().describe("channels of one kind"),
    arguments: z.boolean().describe("whether what would run is in the messages, with its arguments"),
    except: names.optional().describe("categories of data: not for tools that handle one of them"),
  })
  .describe("the first that is about a channel says what it may have");

const requirement = z
  .strictObject({
    group: nameSchema.describe("whose members approve"),
    needed: z.int().min(1).max(MAX_NEEDED).describe("how many different people"),
    assurance: z
      .enum(ASSURANCES)
      .optional()
      .describe("how sure an approval has to be, at least; from weakest to strongest CHAT, SESSION, MFA, KEY"),
    note: z.literal(true).optional().describe("an approval has to have a note"),
    approver: z
      .strictObject({
        roles: names.optional().describe("one of these roles"),
        regions: z.array(regionSchema).min(1).max(20).optional().describe("one of these regions"),
      })
      .refine(({ roles, regions }) => roles !== undefined || regions !== undefined, "has to have roles or regions")
      .optional()
      .describe("what an approver has to have beside the group"),
    ownerConfirms: z
      .literal(true)
      .optional()
      .describe("the person for whom an agent proposes may approve as well, whatever groups they are in"),
    ttl: durationSchema.optional().describe("how long people have to decide, such as 30m or 2h"),
    escalate: z
      .strictObject({ after: durationSchema, to: nameSchema })
      .optional()
      .describe("after which time members of another group may decide as well"),
  })
  .refine(({ group, escalate }) => escalate?.to !== group, {
    path: ["escalate", "to"],
    message: "is the group that is asked anyway: name another one",
  })
  .refine(({ ttl, escalate }) => !ttl || !escalate || secondsOf(escalate.after) < secondsOf(ttl), {
    path: ["escalate", "after"],
    message: "has to be shorter than ttl, or nobody is left to decide",
  });

const rule = z
  .strictObject({
    id,
    when: z
      .string()
      .min(1)
      .max(MAX_CONDITION)
      .optional()
      .describe("a condition in CEL; without one, the rule always matches"),
    permit: z.literal(true).optional(),
    forbid: z.literal(true).optional(),
    require: z.array(requirement).min(1).max(10).optional().describe("who must approve; all of them"),
    reason: text.describe("why, for the agent and for approvers"),
  })
  .refine(
    ({ permit, forbid, require }) => [permit, forbid, require].filter((outcome) => outcome !== undefined).length === 1,
    "has to have exactly one of permit, forbid and require",
  );

const somebody = {
  id: nameSchema.optional(),
  roles: z.array(nameSchema).max(100).optional(),
  groups: z.array(nameSchema).max(100).optional(),
};
const confidence = z.enum(["SIGNED", "REGISTERED", "NETWORK", "HEADER", "UNKNOWN"]);

const places = z.array(nameSchema).max(100).default([]);
const share = z.number().min(0).max(1).default(0);
const NO_SHARES = { user: 0, trusted: 0, untrusted: 0, none: 0 };

const situation = z.strictObject({
  platform: nameSchema,
  tool: nameSchema,
  arguments: z.json().optional(),
  principal: z.strictObject({ ...somebody, kind: z.enum(["HUMAN", "AGENT", "SERVICE"]).optional() }).optional(),
  person: z.strictObject(somebody).optional(),
  client: z
    .strictObject({
      name: nameSchema.optional(),
      confidence: confidence.optional(),
      model: nameSchema.optional(),
      modelConfidence: confidence.optional(),
    })
    .optional(),
  targetRegion: nameSchema.optional(),
  lineage: z
    .strictObject({
      kinds: z
        .array(z.enum(["OBSERVED", "POSSIBLE"]))
        .max(2)
        .default([]),
      platforms: places,
      regions: places,
      observedPlatforms: places,
      observedRegions: places,
      evidence: z.int().min(0).max(1_000_000).default(0),
      untrusted: places,
      fromUntrusted: places,
      shares: z.strictObject({ user: share, trusted: share, untrusted: share, none: share }).default(NO_SHARES),
      unsourced: z.array(z.string().max(1_000)).max(200).default([]),
    })
    .optional()
    .describe("where values of the arguments came from; left out, nothing is known of it"),
  windows: z
    .record(z.string(), z.union([z.number(), z.string()]))
    .optional()
    .describe("what windows had before the proposal, by how rules write them; 0 for those that are left out"),
  now: z.iso.datetime({ offset: true }).optional().describe("RFC 3339; left out, the time of the test"),
});

const expectation = z.strictObject({
  outcome: z.enum(["PERMIT", "REQUIRE", "FORBID"]),
  rules: z.array(id).max(100).optional().describe("ids of exactly the rules that match"),
  requirements: z.array(requirement).max(10).optional().describe("exactly who must approve"),
});

const example = z.strictObject({ name: text, given: situation, expect: expectation });

export const policySchema = z.strictObject({
  policy: z.literal(1).describe("version of this notation"),
  catalog: z.strictObject({
    platforms: z.record(nameSchema, platform),
    tools: z.array(tool).max(5_000),
  }),
  measures: z
    .array(measure)
    .max(MAX_MEASURES)
    .optional()
    .describe("numbers of arguments that windows add up, recorded with each proposal"),
  channels: z
    .array(channel)
    .max(100)
    .optional()
    .describe("which channels may have the arguments of actions; others have reference, tool, severity and deadline"),
  rules: z.array(rule).max(500),
  cases: z.array(example).max(5_000).default([]).describe("examples, which are evaluated before the document is used"),
});

/** A policy document that was read and checked for its form. */
export type PolicyDocument = z.infer<typeof policySchema>;
export type PolicyRule = PolicyDocument["rules"][number];
export type PolicyCase = PolicyDocument["cases"][number];
