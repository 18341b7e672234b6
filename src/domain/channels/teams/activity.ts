import { z } from "zod";
import { parseJson } from "../../../facts/parse-json.ts";

/** What is read of a request to a bot (https://github.com/microsoft/botframework-sdk/blob/main/specs/botframework-activity/botframework-activity.md). */

const id = z.string().min(1).max(500);
const guid = z.guid().transform((text) => text.toLowerCase());

const activitySchema = z.object({
  type: z.string().max(100),
  name: z.string().max(100).optional(),
  channelId: z.string().max(100),
  serviceUrl: z.string().max(2_000),
  from: z.object({
    id,
    aadObjectId: guid.optional(),
    role: z.string().max(100).optional(),
    userRole: z.string().max(100).optional(),
  }),
  conversation: z.object({ id, tenantId: guid.optional() }),
  channelData: z.object({ tenant: z.object({ id: guid }).optional() }).optional(),
  text: z.string().nullish(),
  value: z.unknown().optional(),
});
export type Activity = z.infer<typeof activitySchema>;

/** The activity of a request; undefined when it is none. */
export function readActivity(body: Buffer): Activity | undefined {
  try {
    return activitySchema.safeParse(parseJson(body.toString("utf8"))).data;
  } catch {
    return undefined;
  }
}

/** Whether every place in which the activity names a tenant names this one, and one does. */
export function isOfTenant({ conversation, channelData }: Activity, tenantId: string): boolean {
  const named = [conversation.tenantId, channelData?.tenant?.id].filter((tenant) => tenant !== undefined);
  return named.length > 0 && named.every((tenant) => tenant === tenantId);
}

/** The conversation that an activity is in; in a channel, it also names the message that was answered. */
export function conversationOf({ conversation }: Activity): string {
  return conversation.id.replace(/;messageid=\d{1,20}$/, "");
}

/** Characters of a message that are read: a code to link an account by says who it is of, with all of their groups. */
const MAX_WORDS = 20_000;

/** What people wrote, without the mention of the bot. */
export function wordsOf({ text }: Activity): string {
  return (text ?? "")
    .slice(0, MAX_WORDS)
    .replace(/<at\b[^<>]*>[^<>]*<\/at>/gi, " ")
    .replace(/&nbsp;|\u00a0/g, " ")
    .trim();
}

/** What was pressed in a card of ours. */
export interface Pressed {
  readonly verb: "approve" | "deny" | "refresh";
  readonly actionId: string;
  /** Empty with `refresh`. */
  readonly digest: string;
  readonly note: string | undefined;
}

const pressedSchema = z.object({
  verb: z.enum(["approve", "deny", "refresh"]),
  actionId: z.uuid(),
  digest: z.string().max(200).default(""),
  note: z.string().max(20_000).nullish(),
});

/** What an invoke of an Action.Execute says; undefined: nothing of ours. */
export function pressedOf({ value }: Activity): Pressed | undefined {
  const { data } = z.object({ action: z.object({ verb: z.string(), data: z.looseObject({}) }) }).safeParse(value);
  return data && toPressed({ ...data.action.data, verb: data.action.verb });
}

/** What the message of an Action.Submit says, which older clients send in place of an invoke. */
export function submittedOf({ value }: Activity): Pressed | undefined {
  return toPressed(value);
}

function toPressed(value: unknown): Pressed | undefined {
  const { data } = pressedSchema.safeParse(value);
  return data && { ...data, note: data.note?.trim() || undefined };
}
