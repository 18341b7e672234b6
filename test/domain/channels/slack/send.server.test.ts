import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DeliveryError } from "../../../../src/domain/channels/driver.ts";
import { textsOf } from "../../../support/slack/blocks.ts";
import { buttonsOf } from "../../../support/slack/interactions.ts";
import { CHANNEL, createWorld, noticeMessage, type World } from "./world.ts";

let world: World;
const never = new AbortController().signal;

beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world?.close());

const send = () => world.driver.send(world.channel, noticeMessage(), never);

async function failure(work: Promise<unknown>): Promise<DeliveryError> {
  const error = await work.then(
    () => new Error("accepted"),
    (thrown: unknown) => thrown,
  );
  if (error instanceof DeliveryError) return error;
  throw error;
}

describe("a notice", () => {
  it("is posted with its buttons, and says so when it was decided elsewhere", async () => {
    const { message, posted, name } = await world.sent();
    expect(name).toBe(`${CHANNEL}/${posted.ts}`);
    expect(posted.metadata).toMatchObject({ event_payload: { notice: message.noticeId, version: 1 } });
    expect(buttonsOf(posted.blocks).map(({ text }) => text.text)).toEqual([
      "Approve",
      "Approve with note…",
      "Deny…",
      "Open",
    ]);
    const at = new Date("2026-11-27T01:02:03Z");
    const decisions = [{ verdict: "APPROVE", by: "leo", channel: "API", at }] as const;
    const decided = { ...message, status: "APPROVED", version: 2, deadline: undefined, decisions } as const;
    await world.update(world.channel, decided, name, never);
    expect(buttonsOf(posted.blocks).map(({ text }) => text.text)).toEqual(["Open"]);
    expect(textsOf(posted.blocks)).toContain("Approved by leo, decided elsewhere (the API), 2026-11-27 01:02 UTC");
    expect(posted.text).toContain("Approved");
    expect(posted.metadata).toMatchObject({ event_payload: { version: 2 } });
  });

  it("is authorized by the token in the header alone, as JSON", async () => {
    await send();
    const [call] = world.slack.calls;
    expect(call).toMatchObject({ method: "chat.postMessage", token: world.slack.botToken });
    expect(call?.given).toMatchObject({ channel: CHANNEL, mrkdwn: false, link_names: false, unfurl_links: false });
    expect(call?.given).not.toHaveProperty("token");
  });

  it("waits as long as Slack asks for", async () => {
    world.slack.fail("chat.postMessage", { kind: "RATE_LIMITED", retryAfter: 30 });
    expect(await failure(send())).toMatchObject({ retry: true, retryAfter: 30_000 });
    expect((await send()).message).toMatch(/^C0OPS\//);
  });

  it("may be sent again when nobody knows whether it arrived, or Slack is down", async () => {
    world.slack.fail("chat.postMessage", { kind: "DROPPED_AFTER" });
    expect(await failure(send())).toMatchObject({ retry: true });
    expect(world.slack.posted(CHANNEL)).toHaveLength(1);
    world.slack.fail("chat.postMessage", { kind: "STATUS", status: 503, body: "<html>" });
    expect(await failure(send())).toMatchObject({ retry: true, down: true, retryAfter: undefined });
    world.slack.fail("chat.postMessage", { kind: "STATUS", status: 200, body: "<html>" });
    expect(await failure(send())).toMatchObject({ retry: true, down: true });
    world.slack.fail("chat.postMessage", { kind: "STATUS", status: 413, body: "" });
    expect(await failure(send())).toMatchObject({ retry: false });
    // What every message would meet does not count against this one.
    for (const [error, down] of [
      ["ratelimited", true],
      ["not_in_channel", true],
      ["invalid_auth", true],
      ["restricted_action_read_only_channel", true],
      ["enterprise_is_restricted", true],
      ["internal_error", false],
      ["some_new_error", false],
    ] as const) {
      world.slack.fail("chat.postMessage", { kind: "ERROR", error });
      expect(await failure(send()), error).toMatchObject({ retry: true, down });
    }
    world.slack.setDown(true);
    expect(await failure(send())).toMatchObject({ retry: true });
  });

  it("is given up when the worker that sends it is stopped while Slack is slow", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    world.slack.fail("chat.postMessage", { kind: "SLOW", until: promise });
    const stopping = new AbortController();
    const sending = failure(world.driver.send(world.channel, noticeMessage(), stopping.signal));
    stopping.abort();
    expect(await sending).toMatchObject({ retry: true });
    resolve();
  });

  it("never arrives when Slack refuses the message itself, or somebody deleted it", async () => {
    for (const error of ["invalid_blocks", "msg_too_long", "msg_blocks_too_long"]) {
      world.slack.fail("chat.postMessage", { kind: "ERROR", error });
      expect(await failure(send()), error).toMatchObject({
        retry: false,
        message: `Slack refused chat.postMessage: ${error}`,
      });
    }
    const updated = world.update(world.channel, noticeMessage(), `${CHANNEL}/1.000001`, never);
    expect(await failure(updated)).toMatchObject({
      retry: false,
      message: "Slack refused chat.update: message_not_found",
    });
  });

  it("is not waited for where the channel was before, once the app is no longer there", async () => {
    const updated = (place: string) =>
      failure(world.update(world.channel, noticeMessage(), `${place}/1.000001`, never));
    world.slack.fail("chat.update", { kind: "ERROR", error: "channel_not_found" });
    expect(await updated("C0BEFORE")).toMatchObject({ retry: false });
    world.slack.fail("chat.update", { kind: "ERROR", error: "channel_not_found" });
    expect(await updated(CHANNEL)).toMatchObject({ retry: true });
    world.slack.fail("chat.update", { kind: "ERROR", error: "token_revoked" });
    expect(await updated("C0BEFORE")).toMatchObject({ retry: true, down: true });
    world.slack.fail("chat.update", { kind: "RATE_LIMITED", retryAfter: 1 });
    expect(await updated("C0BEFORE")).toMatchObject({ retry: true, retryAfter: 1_000 });
  });

  it("has nothing of Slack's in its error that is not a name of an error", async () => {
    world.slack.fail("chat.postMessage", { kind: "ERROR", error: `xoxb-1 <b>${"x".repeat(500)}` });
    expect((await failure(send())).message).toBe("Slack refused chat.postMessage: unknown_error");
  });
});
