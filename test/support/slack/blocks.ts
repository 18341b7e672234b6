import { z } from "zod";

/** What Slack takes of Block Kit, with the limits of its reference; only the blocks that somebody here sends. */

const plain = (most: number) =>
  z.strictObject({
    type: z.literal("plain_text"),
    text: z.string().min(1).max(most),
    emoji: z.boolean().optional(),
  });
const mrkdwn = (most: number) =>
  z.strictObject({
    type: z.literal("mrkdwn"),
    text: z.string().min(1).max(most),
    verbatim: z.boolean().optional(),
  });
const text = (most: number) => z.union([plain(most), mrkdwn(most)]);
const id = z.string().min(1).max(255);

const button = z.strictObject({
  type: z.literal("button"),
  action_id: id.optional(),
  text: plain(75),
  value: z.string().max(2_000).optional(),
  url: z.url().max(3_000).optional(),
  style: z.enum(["primary", "danger"]).optional(),
});
const input = z.strictObject({
  type: z.literal("plain_text_input"),
  action_id: id.optional(),
  multiline: z.boolean().optional(),
  min_length: z.int().min(0).max(3_000).optional(),
  max_length: z.int().min(1).max(3_000).optional(),
  placeholder: plain(150).optional(),
});
const words = z.strictObject({ type: z.literal("text"), text: z.string().min(1) });

const block = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("header"), block_id: id.optional(), text: plain(150) }),
  z.strictObject({ type: z.literal("divider"), block_id: id.optional() }),
  z
    .strictObject({
      type: z.literal("section"),
      block_id: id.optional(),
      text: text(3_000).optional(),
      fields: z.array(text(2_000)).min(1).max(10).optional(),
    })
    .refine((section) => section.text !== undefined || section.fields !== undefined),
  z.strictObject({
    type: z.literal("context"),
    block_id: id.optional(),
    elements: z.array(text(3_000)).min(1).max(10),
  }),
  z.strictObject({
    type: z.literal("actions"),
    block_id: id.optional(),
    elements: z.array(button).min(1).max(25),
  }),
  z.strictObject({
    type: z.literal("input"),
    block_id: id.optional(),
    label: plain(2_000),
    element: input,
    optional: z.boolean().optional(),
    hint: plain(2_000).optional(),
  }),
  z.strictObject({
    type: z.literal("rich_text"),
    block_id: id.optional(),
    elements: z
      .array(
        z.strictObject({
          type: z.enum(["rich_text_section", "rich_text_preformatted"]),
          elements: z.array(words).min(1),
          border: z.int().optional(),
        }),
      )
      .min(1),
  }),
]);
export type Block = z.infer<typeof block>;
export type Button = z.infer<typeof button>;

const view = z.strictObject({
  type: z.literal("modal"),
  title: plain(24),
  blocks: z.array(block).max(100),
  submit: plain(24).optional(),
  close: plain(24).optional(),
  callback_id: z.string().max(255).optional(),
  private_metadata: z.string().max(3_000).optional(),
  clear_on_close: z.boolean().optional(),
});
export type View = z.infer<typeof view>;

/** Not documented: beyond this many characters in all, a message is refused. */
const MOST_OF_A_MESSAGE = 13_200;

const unique = (names: readonly (string | undefined)[]) => {
  const given = names.filter((name) => name !== undefined);
  return new Set(given).size === given.length;
};

function areNamedOnce(blocks: readonly Block[]): boolean {
  return (
    unique(blocks.map(({ block_id }) => block_id)) &&
    blocks.every((one) => one.type !== "actions" || unique(one.elements.map(({ action_id }) => action_id)))
  );
}

/** The blocks of a message, or the error that Slack refuses them with. */
export function readBlocks(value: unknown): readonly Block[] | string {
  const { success, data } = z.array(block).max(50).safeParse(value);
  if (!success || !areNamedOnce(data)) return "invalid_blocks";
  return JSON.stringify(data).length > MOST_OF_A_MESSAGE ? "msg_blocks_too_long" : data;
}

/** A dialog, or the error that Slack refuses it with. */
export function readView(value: unknown): View | string {
  const { success, data } = view.safeParse(value);
  if (!success || !areNamedOnce(data.blocks)) return "invalid_arguments";
  // A dialog that takes something in has to have a button for it.
  const takes = data.blocks.some(({ type }) => type === "input");
  return takes && data.submit === undefined ? "invalid_arguments" : data;
}

/** Every text in the blocks, in order. */
export function textsOf(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(textsOf);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) =>
    name === "text" && typeof member === "string" ? [member] : textsOf(member),
  );
}
