import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LedgerUnavailableError } from "../../../../src/ledger/errors.ts";
import { textsOf } from "../../../support/slack/blocks.ts";
import { buttonsOf } from "../../../support/slack/interactions.ts";
import type { OpenView } from "../../../support/slack/workspace.ts";
import { waitUntil } from "../../../support/wait.ts";
import { CHANNEL, CODE, createWorld, type World } from "./world.ts";

/** What presses and dialogs do, by HTTP and by Socket Mode alike. */

describe.each(["HTTP", "SOCKET"] as const)("by %s, a press", (mode) => {
  let world: World;
  const stopping = { controller: new AbortController(), connected: Promise.resolve() };

  beforeEach(async () => {
    world = await createWorld({ mode });
    stopping.controller = new AbortController();
    stopping.connected = world.connect(world.channel, world.door, stopping.controller.signal);
    if (mode === "SOCKET") await waitUntil(() => world.slack.connected.size === 1);
  });
  afterEach(async () => {
    stopping.controller.abort();
    await stopping.connected;
    await world?.close();
  });

  async function told(user: string, count = 1): Promise<string> {
    await waitUntil(() => world.slack.told(user).length >= count);
    return textsOf(world.slack.told(user).at(-1)?.blocks).join(" ");
  }

  async function dialog(
    user: string,
    button: string,
    posted: Parameters<World["slack"]["press"]>[1],
  ): Promise<OpenView> {
    const before = world.slack.views.length;
    await world.slack.press(user, posted, button);
    await waitUntil(() => world.slack.views.length > before);
    return world.slack.views.at(-1)!;
  }

  it("approves as the account that Slack names, with what the person was shown", async () => {
    const { message, posted } = await world.sent();
    expect(await world.slack.press("U0MIA", posted, "Approve")).toMatchObject({ status: 200, body: "" });
    expect(world.door.decisions).toMatchObject([
      {
        actionId: message.actionId,
        digest: message.digest,
        verdict: "APPROVE",
        account: { kind: "SLACK", tenant: world.slack.teamId, id: "U0MIA" },
      },
    ]);
    expect(world.door.decisions[0]?.note).toBeUndefined();
    expect(world.slack.told("U0MIA")).toEqual([]);
  });

  it("asks for a note, and approves with it", async () => {
    const { message, posted } = await world.sent();
    const asking = await dialog("U0MIA", "Approve with note…", posted);
    expect(world.door.decisions).toEqual([]);
    expect(textsOf(asking.view.blocks)[0]).toBe("Approve refund on billing, reference 1f3a9c02. The note is recorded.");
    await waitUntil(() => world.door.opens.length === 1);
    await world.slack.submit(asking, "checked the invoice");
    expect(asking.closed).toBe(true);
    expect(world.door.decisions).toMatchObject([
      { verdict: "APPROVE", note: "checked the invoice", digest: message.digest },
    ]);
  });

  it("denies with a reason, and not without one", async () => {
    const { posted } = await world.sent();
    const asking = await dialog("U0MIA", "Deny…", posted);
    await world.slack.submit(asking, "   ");
    expect(asking).toMatchObject({ closed: false, errors: { input: "Say why." } });
    await world.slack.submit(asking, "too much");
    expect(asking.closed).toBe(true);
    expect(world.door.decisions).toMatchObject([{ verdict: "DENY", note: "too much" }]);
  });

  it("records that the notice was opened", async () => {
    const { message, posted } = await world.sent();
    await world.slack.press("U0MIA", posted, "Open");
    await waitUntil(() => world.door.opens.length === 1);
    expect(world.door.opens).toEqual([message.actionId]);
    expect(world.door.decisions).toEqual([]);
  });

  it("of an account that is not linked is explained, and the account is linked by a code", async () => {
    world.door.linked.clear();
    const { posted } = await world.sent();
    await world.slack.press("U0MIA", posted, "Approve");
    expect(await told("U0MIA")).toContain("not linked to a person");
    const [invitation] = world.slack.told("U0MIA");
    const asking = await dialog("U0MIA", "Link account…", invitation!);
    await world.slack.submit(asking, "a guess");
    expect(asking).toMatchObject({ closed: false, errors: { input: "this code is not valid" } });
    await world.slack.submit(asking, ` ${CODE} `);
    expect(textsOf(asking.view.blocks).join()).toContain("is linked to mia");
    expect(world.door.decisions).toEqual([]);
    await world.slack.press("U0MIA", posted, "Approve");
    expect(world.door.decisions).toHaveLength(1);
  });

  it("in a dialog of an account that is not linked is refused, and explained beside it", async () => {
    world.door.linked.clear();
    const { posted } = await world.sent();
    const asking = await dialog("U0MIA", "Deny…", posted);
    await world.slack.submit(asking, "too much");
    expect(asking).toMatchObject({
      closed: false,
      errors: { input: expect.stringContaining("link your Slack account") },
    });
    expect(await told("U0MIA")).toContain("not linked to a person");
    expect(world.door.decisions).toEqual([]);
    expect(world.door.opens).toEqual([]);
  });

  it("twice decides once, and brings the message up to date", async () => {
    const { message, posted } = await world.sent();
    await world.slack.press("U0MIA", posted, "Approve");
    world.door.notices.set(message.actionId, { ...message, status: "APPROVED", version: 2 });
    const again = { ...posted, blocks: [...posted.blocks] };
    await world.slack.press("U0MIA", again, "Approve");
    await waitUntil(() => posted.edits === 1);
    expect(world.door.decisions).toHaveLength(1);
    expect(buttonsOf(posted.blocks).map(({ text }) => text.text)).toEqual(["Open"]);
  });

  it("after a decision elsewhere, or after the deadline, is refused, and the message says what is so", async () => {
    const { message, posted } = await world.sent();
    const decisions = [{ verdict: "DENY", by: "leo", channel: "API", at: new Date(0) }] as const;
    const denied = { ...message, status: "DENIED", version: 3, decisions } as const;
    const asking = await dialog("U0MIA", "Deny…", posted);
    world.door.notices.set(message.actionId, denied);
    const refuse = async () =>
      ({ outcome: "REFUSED", code: "NOT_PENDING", reason: "this action is DENIED", message: denied }) as const;
    world.door.next.push(refuse, refuse);
    await world.slack.press("U0MIA", { ...posted }, "Approve");
    expect(await told("U0MIA")).toBe("Nothing was decided: this action is DENIED");
    await waitUntil(() => posted.edits === 1);
    expect(textsOf(posted.blocks)).toContain("Denied by leo, decided elsewhere (the API), 1970-01-01 00:00 UTC");
    await world.slack.submit(asking, "too much");
    expect(asking).toMatchObject({ closed: false, errors: { input: "this action is DENIED" } });
    await waitUntil(() => posted.edits === 2);
  });

  it("for a dialog after a decision elsewhere opens none", async () => {
    const { message, posted } = await world.sent();
    world.door.notices.set(message.actionId, { ...message, status: "EXPIRED", version: 2 });
    await world.slack.press("U0MIA", { ...posted }, "Deny…");
    expect(await told("U0MIA")).toContain("does not wait for approval any more");
    await waitUntil(() => posted.edits === 1);
    expect(world.slack.views).toEqual([]);
  });

  it("leaves the message as the action is, when that changes while Slack is told", async () => {
    const { message, posted } = await world.sent();
    const { promise, resolve } = Promise.withResolvers<void>();
    world.slack.fail("chat.update", { kind: "SLOW", until: promise });
    const second = { ...message, version: 2 };
    world.door.next.push(async () => ({ outcome: "REFUSED", code: "ALREADY_VOTED", reason: "no", message: second }));
    await world.slack.press("U0MIA", posted, "Approve");
    await waitUntil(() => world.slack.calls.some(({ method }) => method === "chat.update"));
    world.door.notices.set(message.actionId, { ...message, status: "APPROVED", version: 3 });
    resolve();
    await waitUntil(() => posted.edits === 2);
    expect(posted.metadata).toMatchObject({ event_payload: { version: 3 } });
  });

  it("is answered in time however slow the ledger is, and what comes of it is told later", async () => {
    const { posted } = await world.sent();
    const asking = await dialog("U0MIA", "Deny…", posted);
    const { promise, resolve } = Promise.withResolvers<void>();
    const slow = async () => {
      await promise;
      return { outcome: "REFUSED", code: "EXPIRED", reason: "the deadline has passed", message: undefined } as const;
    };
    world.door.next.push(slow, slow);
    const [pressed, submitted] = await Promise.all([
      world.slack.press("U0MIA", posted, "Approve"),
      world.slack.submit(asking, "too much"),
    ]);
    for (const answer of [pressed, submitted]) {
      expect(answer).toMatchObject({ status: 200, body: "" });
      expect(answer.took).toBeLessThan(3_000);
    }
    resolve();
    await waitUntil(() => world.slack.told("U0MIA").length === 2);
    expect(await told("U0MIA", 2)).toContain("the deadline has passed");
  });

  it("is told to press again when the ledger cannot be reached", async () => {
    const { posted } = await world.sent();
    const asking = await dialog("U0MIA", "Deny…", posted);
    const unavailable = () => Promise.reject(new LedgerUnavailableError("down", 1));
    world.door.next.push(unavailable, unavailable);
    expect(await world.slack.press("U0MIA", posted, "Approve")).toMatchObject({ status: 200 });
    expect(await told("U0MIA")).toContain("Nothing was recorded");
    await world.slack.submit(asking, "too much");
    expect(asking.errors?.input).toContain("Nothing was recorded");
    const unknown = () => Promise.reject(new LedgerUnavailableError("lost", 1, undefined, "UNKNOWN"));
    world.door.next.push(unknown, () => Promise.reject(new Error("a fault of ours")));
    for (const count of [2, 3]) {
      expect(await world.slack.press("U0MIA", posted, "Approve")).toMatchObject({ status: 200 });
      expect(await told("U0MIA", count)).toContain("not known whether this was recorded");
    }
    await world.slack.press("U0MIA", posted, "Approve");
    expect(world.door.decisions).toHaveLength(1);
  });

  it("that comes twice is handled once", async () => {
    const { posted } = await world.sent();
    const pressed = world.slack.pressed("U0MIA", posted, "Deny…");
    await world.slack.deliver(pressed);
    await world.slack.deliver(pressed);
    expect(world.slack.calls.filter(({ method }) => method === "views.open")).toHaveLength(1);
    const [asking] = world.slack.views;
    const submitted = world.slack.submitted(asking!, "too much");
    const [first, second] = [await world.slack.deliver(submitted), await world.slack.deliver(submitted)];
    expect(second.body).toBe(first.body);
    expect(world.door.decisions).toHaveLength(1);
    // A code is valid once, and its repeated submission is told what the first was.
    const [linking, code] = [world.slack.pressed("U0MIA", posted, "Approve"), CODE];
    Object.assign(linking, { actions: [{ action_id: "link", value: "link" }] });
    await world.slack.deliver(linking);
    const link = world.slack.submitted(world.slack.views.at(-1)!, code);
    const linked = [await world.slack.deliver(link), await world.slack.deliver(link)];
    for (const { body } of linked) expect(body).toContain("is linked to mia");
  });

  it("is refused to guests, bots, strangers, the deleted and people of other workspaces", async () => {
    const { posted } = await world.sent();
    const people = {
      U0GUEST: { is_restricted: true },
      U0SINGLE: { is_ultra_restricted: true },
      U0BOT: { is_bot: true },
      U0GONE: { deleted: true },
      U0STRANGER: { is_stranger: true },
      U0OTHER: { team_id: "T0OTHER" },
    };
    for (const [id, properties] of Object.entries(people)) {
      world.slack.addUser(id, properties);
      world.door.linked.add(id);
      expect(await world.slack.press(id, posted, "Approve"), id).toMatchObject({ status: 200, body: "" });
      expect(await told(id), id).toContain("Nothing was decided: only");
      await world.slack.press(id, posted, "Deny…");
      await told(id, 2);
    }
    expect(world.door.decisions).toEqual([]);
    expect(world.slack.views).toEqual([]);
  });

  it("is refused to whoever became a guest, a minute later at most, in an open dialog as well", async () => {
    const { posted } = await world.sent();
    const asking = await dialog("U0MIA", "Deny…", posted);
    world.slack.addUser("U0MIA", { is_restricted: true });
    world.setAhead(60_001);
    await world.slack.submit(asking, "too much");
    expect(asking.errors?.input).toContain("only full members");
    expect(world.door.decisions).toEqual([]);
  });

  it("decides nothing while Slack does not say who pressed", async () => {
    const { posted } = await world.sent();
    for (const fault of [
      { kind: "DROPPED_AFTER" },
      { kind: "RATE_LIMITED", retryAfter: 1 },
      { kind: "ERROR", error: "fatal_error" },
      { kind: "STATUS", status: 200, body: '{"ok":true,"user":{"id":"U0MIA"}}' },
    ] as const) {
      world.slack.fail("users.info", fault);
      await world.slack.press("U0MIA", posted, "Approve");
    }
    await waitUntil(() => world.slack.told("U0MIA").length === 4);
    expect(world.door.decisions).toEqual([]);
    await world.slack.press("U0MIA", posted, "Approve");
    expect(world.door.decisions).toHaveLength(1);
  });

  it("is not lost on Slack when no dialog opens", async () => {
    const { posted } = await world.sent();
    world.slack.fail("views.open", { kind: "ERROR", error: "expired_trigger_id" });
    await world.slack.press("U0MIA", posted, "Deny…");
    expect(await told("U0MIA")).toBe("Nothing was decided: Slack opened no dialog. Press again.");
  });

  it("in another channel, or about an action that the channel was not told of, decides nothing", async () => {
    const { posted } = await world.sent();
    world.slack.channels.add("C0OTHER");
    await world.slack.press("U0MIA", { ...posted, channel: "C0OTHER" }, "Approve");
    expect(await told("U0MIA")).toContain("not one of the channel");
    const pressed = world.slack.pressed("U0MIA", posted, "Approve");
    const [button] = pressed.actions as [{ readonly value: string }];
    const value = JSON.stringify({ ...JSON.parse(button.value), action: crypto.randomUUID() });
    await world.slack.deliver({ ...pressed, actions: [{ ...button, value }] });
    expect(await told("U0MIA", 2)).toBe("Nothing was decided: no such action");
    const asking = world.slack.pressed("U0MIA", posted, "Deny…");
    const [deny] = asking.actions as [object];
    await world.slack.deliver({ ...asking, actions: [{ ...deny, value }] });
    expect(await told("U0MIA", 3)).toContain("not one of the channel");
    expect(world.slack.views).toEqual([]);
    expect(world.door.decisions).toEqual([]);
    expect(CHANNEL).toBe(posted.channel);
  });
});
