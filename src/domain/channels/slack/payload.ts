import { z } from "zod";
import { MAX_INPUT } from "./dialogs.ts";

/** What is read of Slack's interactions (https://docs.slack.dev/reference/interaction-payloads), each member with its bounds. */

const id = z.string().regex(/^[A-Z][A-Z0-9]{1,39}$/);
const ts = z.string().regex(/^\d{1,12}\.\d{1,9}$/);
const name = z.string().max(255);

/** Names of people are not read: they are no identity. */
const common = {
  team: z.object({ id }),
  api_app_id: id,
  user: z.object({ id, team_id: id }),
  trigger_id: z.string().min(1).max(255),
};

const press = z.object({
  type: z.literal("block_actions"),
  ...common,
  container: z.object({ type: z.literal("message"), channel_id: id, message_ts: ts }),
  actions: z
    .array(z.object({ action_id: name, value: z.string().max(2_000).optional() }))
    .min(1)
    .max(25),
});
export type Press = z.infer<typeof press>;

const submission = z.object({
  type: z.literal("view_submission"),
  ...common,
  view: z.object({
    app_id: id,
    callback_id: name,
    private_metadata: z.string().max(3_000).default(""),
    state: z.object({
      values: z.record(name, z.record(name, z.object({ value: z.string().max(MAX_INPUT).nullable().optional() }))),
    }),
  }),
});
export type Submission = z.infer<typeof submission>;

export const interaction = z.discriminatedUnion("type", [press, submission]);
export type Interaction = z.infer<typeof interaction>;

const typed = z.object({ type: z.string().max(100) });

/** What a button of a notice says. */
export const buttonValue = z.strictObject({ action: z.uuid(), digest: z.string().max(200) });

/** The interaction; UNKNOWN: of a type that nothing here sends for; MALFORMED: not as Slack describes it, or of no workspace. */
export function readInteraction(value: unknown): Interaction | "UNKNOWN" | "MALFORMED" {
  const { success, data } = typed.safeParse(value);
  if (!success) return "MALFORMED";
  if (data.type !== "block_actions" && data.type !== "view_submission") return "UNKNOWN";
  return interaction.safeParse(value).data ?? "MALFORMED";
}
