import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { signatureOf, signed } from "../../../support/slack/interactions.ts";
import type { SlackMessage } from "../../../support/slack/workspace.ts";
import { createWorld, type World } from "./world.ts";

let world: World;
let posted: SlackMessage;

beforeEach(async () => {
  world = await createWorld();
  ({ posted } = await world.sent());
});
afterEach(() => world?.close());

const seconds = (ahead = 0) => Math.floor(Date.now() / 1_000) + ahead;

describe("a request", () => {
  it("that is forged, altered, early or late is refused, and reaches nothing", async () => {
    const press = world.slack.pressed("U0MIA", posted, "Approve");
    const { body, headers } = signed(press, world.slack.signingSecret, seconds());
    const forged = signed(press, "0".repeat(32), seconds());
    const altered = `${body}&x=1`;
    const late = signed(press, world.slack.signingSecret, seconds(-310));
    const early = signed(press, world.slack.signingSecret, seconds(310));
    const before = world.slack.calls.length;
    for (const [text, given] of [
      [body, {}],
      [body, forged.headers],
      [altered, headers],
      [late.body, late.headers],
      [early.body, early.headers],
    ] as const) {
      const type = { "content-type": "application/x-www-form-urlencoded" };
      expect(await world.slack.post(world.url, text, { ...type, ...given })).toMatchObject({ status: 401 });
    }
    expect(world.door.decisions).toEqual([]);
    expect(world.slack.calls.length).toBe(before);
    expect(world.logged.filter((line) => line.includes("claims to be from Slack"))).toHaveLength(5);
    expect(await world.slack.post(world.url, body, headers)).toMatchObject({ status: 200 });
    expect(world.door.decisions).toHaveLength(1);
  });

  it("that is replayed within the window decides nothing again", async () => {
    const { body, headers } = signed(
      world.slack.pressed("U0MIA", posted, "Approve"),
      world.slack.signingSecret,
      seconds(),
    );
    for (let time = 0; time < 3; time += 1) {
      expect(await world.slack.post(world.url, body, headers)).toMatchObject({ status: 200, body: "" });
    }
    expect(world.door.decisions).toHaveLength(1);
  });

  it("of another workspace or app is refused", async () => {
    const press = world.slack.pressed("U0MIA", posted, "Approve");
    const foreign = { id: "T0OTHER", domain: "other" };
    for (const changed of [{ team: foreign }, { api_app_id: "A0OTHER" }]) {
      expect(await world.slack.deliver({ ...press, ...changed })).toMatchObject({ status: 403 });
    }
    // An installation for a whole organization has no workspace.
    expect(await world.slack.deliver({ ...press, team: null })).toMatchObject({ status: 400 });
    expect(world.door.decisions).toEqual([]);
    expect(world.slack.messages).toHaveLength(1);
  });

  it("of a person of another workspace, by Slack Connect, decides nothing", async () => {
    const press = world.slack.pressed("U0MIA", posted, "Approve");
    await world.slack.deliver({ ...press, user: { id: "U0MIA", team_id: "T0OTHER" } });
    expect(world.door.decisions).toEqual([]);
  });

  it("of a type that nothing here sends for is acknowledged and ignored", async () => {
    for (const type of ["shortcut", "message_action", "view_closed", "block_suggestion", "something_new"]) {
      expect(await world.slack.deliver({ type })).toMatchObject({ status: 200, body: "" });
    }
    const press = world.slack.pressed("U0MIA", posted, "Approve");
    expect(await world.slack.deliver({ ...press, actions: [{ action_id: "other" }] })).toMatchObject({ status: 200 });
    expect(world.door.decisions).toEqual([]);
  });

  it("that is no interaction is refused, however it is signed", async () => {
    const press = world.slack.pressed("U0MIA", posted, "Approve");
    const send = (body: string, more: object = {}) =>
      world.slack.post(world.url, body, { ...signatureOf(body, world.slack.signingSecret, seconds()), ...more });
    const form = (payload: string) => new URLSearchParams({ payload }).toString();
    const whole = JSON.stringify(press);
    for (const body of [
      "",
      "payload",
      form(""),
      form("null"),
      form("[]"),
      form('"block_actions"'),
      form(whole.slice(0, -1)),
      form("[".repeat(20_000)),
      form("[".repeat(20_000) + "]".repeat(20_000)),
      `${form(whole)}&${form(whole)}`,
      `${form(whole)}&other=1`,
    ]) {
      expect(await send(body), body.slice(0, 40)).toMatchObject({ status: 400 });
    }
    // Members that nobody reads may be anything.
    const deep = `{"a":${"[".repeat(20_000)}${"]".repeat(20_000)},"type":"block_actions"`;
    expect(await send(form(`${deep}}`))).toMatchObject({ status: 400 });
    expect(await send(form(whole), { "content-type": "application/json" })).toMatchObject({ status: 400 });
    const [button] = press.actions as [object];
    for (const changed of [
      { user: { id: "U0MIA" } },
      { user: { id: "U0MIA/../x", team_id: "T0HOME" } },
      { user: { id: 7, team_id: "T0HOME" } },
      { container: { type: "view" } },
      { container: { type: "message", channel_id: "C0OPS", message_ts: "now" } },
      { actions: [] },
      { actions: Array.from({ length: 26 }, () => button) },
      { actions: [{ ...button, value: "x".repeat(2_001) }] },
      { actions: [{ ...button, value: "{}" }] },
      { actions: [{ ...button, value: undefined }] },
      { trigger_id: "" },
    ]) {
      expect(await world.slack.deliver({ ...press, ...changed }), JSON.stringify(changed).slice(0, 80)).toMatchObject({
        status: 400,
      });
    }
    expect(world.door.decisions).toEqual([]);
  });

  it("reaches nothing by another method or path, and none of a channel in Socket Mode", async () => {
    const { body, headers } = signed(
      world.slack.pressed("U0MIA", posted, "Approve"),
      world.slack.signingSecret,
      seconds(),
    );
    expect((await fetch(world.url)).status).toBe(405);
    expect((await fetch(world.url, { method: "PUT", body, headers })).status).toBe(405);
    expect((await fetch(`${world.url}/other`, { method: "POST", body, headers })).status).toBe(404);
    const socket = { ...world.channel, settings: { ...world.channel.settings, mode: "SOCKET" } } as const;
    const request = { method: "POST", path: "", headers, body: Buffer.from(body) };
    expect(await world.driver.receive?.(socket, request, world.door)).toMatchObject({ status: 404 });
    expect(world.door.decisions).toEqual([]);
  });

  it("of a dialog that another app opened, or that says something else, decides nothing", async () => {
    await world.slack.press("U0MIA", posted, "Deny…");
    const submission = world.slack.submitted(world.slack.views[0]!, "too much");
    const view = submission.view as object;
    const change = (changed: object) => world.slack.deliver({ ...submission, view: { ...view, ...changed } });
    expect(await change({ app_id: "A0OTHER" })).toMatchObject({ status: 403 });
    expect(await change({ private_metadata: "{}" })).toMatchObject({ status: 400 });
    expect(await change({ private_metadata: "x".repeat(3_001) })).toMatchObject({ status: 400 });
    expect(await change({ state: { values: { input: { input: { value: "x".repeat(3_001) } } } } })).toMatchObject({
      status: 400,
    });
    expect(await change({ callback_id: "other" })).toMatchObject({ status: 200, body: "" });
    expect(world.door.decisions).toEqual([]);
  });
});
