import { createHmac } from "node:crypto";
import { type Block, type Button, readView } from "./blocks.ts";
import type { OpenView, SlackMessage, Workspace } from "./workspace.ts";

/** What a workspace sends when somebody presses a button or submits a dialog. */
export type Interaction = Readonly<Record<string, unknown>>;

function identified(workspace: Workspace, user: string) {
  const { teamId, appId } = workspace;
  const name = `name of ${user}`;
  return {
    user: { id: user, username: name, name, team_id: workspace.users.get(user)?.team_id ?? teamId },
    api_app_id: appId,
    token: "verification tokens are no longer used",
    trigger_id: workspace.trigger(user),
    team: { id: teamId, domain: "example" },
    enterprise: null,
    is_enterprise_install: false,
  };
}

/** The buttons of a message. */
export function buttonsOf(blocks: readonly Block[]): readonly Button[] {
  return blocks.flatMap((block) => (block.type === "actions" ? block.elements : []));
}

/** A press of the button with this text. Throws when the message has none. */
export function press(workspace: Workspace, user: string, message: SlackMessage, text: string): Interaction {
  const { channel, ts, blocks } = message;
  const at = blocks.find((block) => block.type === "actions" && block.elements.some((one) => one.text.text === text));
  const button = buttonsOf(blocks).find((one) => one.text.text === text);
  if (at === undefined || button === undefined) throw new Error(`the message has no button "${text}"`);
  return {
    type: "block_actions",
    ...identified(workspace, user),
    container: { type: "message", message_ts: ts, channel_id: channel, is_ephemeral: message.onlyFor !== undefined },
    channel: { id: channel, name: "approvals" },
    ...(message.onlyFor === undefined ? { message: { type: "message", ts, text: message.text, blocks } } : {}),
    state: { values: {} },
    response_url: "https://hooks.slack.invalid/actions/1",
    actions: [{ ...button, block_id: at.block_id ?? "b1", action_ts: workspace.nextTs() }],
  };
}

/** A submission of the dialog with these texts in its inputs, in order. Throws when it is closed. */
export function submit(
  workspace: Workspace,
  { id, user, view, closed }: OpenView,
  texts: readonly string[],
): Interaction {
  if (closed) throw new Error("the dialog is closed");
  const inputs = view.blocks.filter((block) => block.type === "input");
  const values = inputs.map(({ block_id, element }, at) => [
    block_id,
    { [element.action_id ?? "a1"]: { type: "plain_text_input", value: texts[at] || null } },
  ]);
  const { appId, teamId } = workspace;
  return {
    type: "view_submission",
    ...identified(workspace, user),
    view: {
      private_metadata: "",
      ...view,
      id,
      team_id: teamId,
      app_id: appId,
      bot_id: "B0BOT",
      state: { values: Object.fromEntries(values) },
    },
    response_urls: [],
  };
}

/** Does with a dialog what the app responded to its submission. Throws for a response that Slack would not take. */
export function respondTo(opened: OpenView, body: string): void {
  const response = body === "" ? {} : JSON.parse(body);
  if (response.response_action === undefined || response.response_action === "clear") {
    opened.closed = true;
  } else if (response.response_action === "errors") {
    const blocks = opened.view.blocks.map(({ block_id }) => block_id);
    const named = Object.keys(response.errors);
    if (named.length === 0 || !named.every((name) => blocks.includes(name))) throw new Error("errors of no block");
    opened.errors = response.errors;
  } else {
    const view = readView(response.view);
    if (response.response_action !== "update" || typeof view === "string") throw new Error(`Slack refuses ${body}`);
    opened.view = view;
  }
}

/** The body and headers of the request that carries an interaction. `at`: seconds. */
export function signed(interaction: Interaction, secret: string, at: number) {
  const body = new URLSearchParams({ payload: JSON.stringify(interaction) }).toString();
  return { body, headers: signatureOf(body, secret, at) };
}

export function signatureOf(body: string, secret: string, at: number | string): Record<string, string> {
  const signature = createHmac("sha256", secret).update(`v0:${at}:${body}`).digest("hex");
  return {
    "content-type": "application/x-www-form-urlencoded",
    "x-slack-request-timestamp": String(at),
    "x-slack-signature": `v0=${signature}`,
  };
}
