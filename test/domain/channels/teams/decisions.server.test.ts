import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { LedgerUnavailableError } from "../../../../src/ledger/errors.ts";
import { cardText } from "../../../support/teams/cards.ts";
import type { Post } from "../../../support/teams/connector.ts";
import { type Answer, startTeams, type Teams } from "../../../support/teams/teams.ts";
import { type Bot, decidedBy, noticeOf, startBot } from "./bot.ts";

let teams: Teams;
let bot: Bot;
let post: Post;

beforeAll(async () => {
  teams = await startTeams();
});
afterAll(() => teams?.close());
beforeEach(async () => {
  bot = await startBot(teams);
  bot.door.links.set(teams.alice.aadObjectId, "p-alice");
  await bot.send();
  post = teams.posts().at(-1) as Post;
});
afterEach(() => bot.server.stop());

const decided = (person: string, verdict: string, note = "-") =>
  `decide teams TEAMS ${teams.tenantId} ${person} ${noticeOf().actionId} ${verdict} ${note}`;
const textOf = ({ card, body }: Answer) => (card === undefined ? String(body?.value) : cardText(card));

describe("a button of a card", () => {
  it("decides as the person of the directory's id and tenant, never of the name, with the note", async () => {
    const impostor = { ...teams.bob, name: teams.alice.name };
    expect(await teams.press(impostor, post, "Approve")).toMatchObject({ status: 200, card: undefined });
    expect(bot.door.current?.status).toBe("PENDING");
    const answer = await teams.press(teams.alice, post, "Approve", { note: " looks right " });
    expect(textOf(answer)).toContain("Approved: p-alice, in Teams, 2030-01-01 00:00 UTC");
    expect(answer.card?.actions?.map(({ title }) => title)).toEqual(["Open in Countersign"]);
    expect(bot.door.asked).toEqual([
      decided(teams.bob.aadObjectId, "APPROVE"),
      decided(teams.alice.aadObjectId, "APPROVE", "looks right"),
    ]);
  });

  it("denies with a note, and says what to do when the note is missing or was lost on the way", async () => {
    for (const [inputs, where] of [
      [{}, {}],
      [{ note: "  " }, {}],
      [{ note: "no" }, { dropsInputs: true }],
    ] as const) {
      const answer = await teams.press(teams.alice, post, "Deny", inputs, where);
      expect(answer.body).toMatchObject({ statusCode: 200, type: "application/vnd.microsoft.activity.message" });
      expect(textOf(answer)).toContain("a denial needs a note");
      expect(textOf(answer)).toContain(noticeOf().link);
    }
    expect(bot.door.asked).toEqual([]);
    expect(textOf(await teams.press(teams.alice, post, "Deny", { note: "too much" }))).toContain("Denied: p-alice");
    expect(bot.door.asked).toEqual([decided(teams.alice.aadObjectId, "DENY", "too much")]);
  });

  it("decides once when it is pressed twice, or when the request comes twice", async () => {
    const where = { activityId: randomUUID() };
    const answers = await Promise.all([1, 2, 3].map(() => teams.press(teams.alice, post, "Approve", {}, where)));
    answers.push(await teams.press(teams.alice, post, "Approve"));
    for (const answer of answers) expect(textOf(answer)).toContain("Approved: p-alice");
    expect(bot.door.current?.decisions).toHaveLength(1);
  });

  it("tells an unlinked person how to link, and decides nothing", async () => {
    const answer = await teams.press(teams.bob, post, "Approve");
    expect(answer.body).toMatchObject({ statusCode: 200, type: "application/vnd.microsoft.activity.message" });
    expect(textOf(answer)).toContain("link CODE");
    expect(bot.door.current?.decisions).toEqual([]);
  });

  it("is refused to guests, to accounts of other tenants that are in the conversation, and to those nobody knows", async () => {
    const roster = teams.connector.roster;
    const visitor = { ...teams.bob, aadObjectId: randomUUID(), id: `29:${randomUUID()}` };
    const stated = [
      teams.guest,
      { ...visitor, userRole: "anonymous" as const },
      { ...visitor, tenantId: randomUUID() },
      { ...visitor, userRole: undefined },
      { ...visitor, aadObjectId: randomUUID() },
      { ...visitor, userPrincipalName: "bob_partner.example#EXT#@acme.example" },
    ];
    for (const person of stated) {
      roster.set(person.id, person as typeof visitor);
      bot.door.links.set(person.aadObjectId, "p-visitor");
      const claimed = person === teams.guest ? teams.guest : { ...visitor, aadObjectId: visitor.aadObjectId };
      const answer = await teams.press(claimed, post, "Approve");
      expect(answer.body, JSON.stringify(person)).toMatchObject({
        statusCode: 400,
        type: "application/vnd.microsoft.error",
      });
    }
    roster.delete(visitor.id);
    expect((await teams.press(visitor, post, "Approve")).body).toMatchObject({ statusCode: 400 });
    const { aadObjectId: _, ...nameless } = { ...visitor };
    expect((await teams.press(visitor, post, "Approve", {}, {}, { activity: { from: nameless } })).body).toMatchObject({
      statusCode: 400,
    });
    const role = { ...teams.alice, userRole: "guest" };
    expect((await teams.press(teams.alice, post, "Approve", {}, {}, { activity: { from: role } })).body).toMatchObject({
      statusCode: 400,
    });
    expect(bot.door.asked).toEqual([]);
  });

  it("asks Teams about a person once in ten minutes, and decides nothing when Teams does not say", async () => {
    teams.connector.plans.push({ status: 503 });
    expect((await teams.press(teams.alice, post, "Approve")).body).toMatchObject({ statusCode: 500 });
    expect(bot.door.asked).toEqual([]);
    const asked = () => teams.connector.requests.filter((request) => request.includes("/members/")).length;
    const before = asked();
    await teams.press(teams.alice, post, "Approve");
    await teams.press(teams.alice, post, "Approve");
    expect(asked()).toBe(before + 1);
    expect(bot.door.current?.status).toBe("APPROVED");
  });

  it("is refused in another conversation than the channel's", async () => {
    const answer = await teams.press(teams.alice, post, "Approve", {}, { conversation: "19:elsewhere@thread.tacv2" });
    expect(answer.body).toMatchObject({ statusCode: 400, value: { code: "Forbidden" } });
    expect(bot.door.asked).toEqual([]);
  });

  it("shows what became of the action when it was decided elsewhere or too late, and why the press did not count", async () => {
    const message = noticeOf();
    bot.door.current = decidedBy(message, { by: "p-carol", channel: "API" });
    const answer = await teams.press(teams.alice, post, "Deny", { note: "no" });
    expect(textOf(answer)).toContain("Not recorded: the action is APPROVED already");
    expect(textOf(answer)).toContain("Decided elsewhere: Approved");
    expect(textOf(answer)).toContain("Approved: p-carol, by the API");
    bot.door.current = { ...message, status: "EXPIRED", deadline: undefined };
    expect(textOf(await teams.press(teams.alice, post, "Approve"))).toContain("Expired: too few decided in time");
    bot.door.current = undefined;
    expect(textOf(await teams.press(teams.alice, post, "Approve"))).toBe("Not recorded: there is no such action");
  });

  it("is answered with an error, and with nothing recorded, while the ledger is unavailable", async () => {
    bot.door.fault = new LedgerUnavailableError("the database is down", 1);
    const answer = await teams.press(teams.alice, post, "Approve");
    expect(answer).toMatchObject({ status: 200, body: { statusCode: 500, type: "application/vnd.microsoft.error" } });
    expect(JSON.stringify(answer.body)).not.toContain("database");
    bot.door.fault = undefined;
    expect(textOf(await teams.press(teams.alice, post, "Approve"))).toContain("Approved: p-alice");
  });

  it("decides by a message in clients that know no Action.Execute, which is replied to", async () => {
    expect(await teams.submit(teams.alice, post, "Deny")).toMatchObject({ status: 200 });
    expect(teams.posts().at(-1)?.versions[0]).toMatchObject({
      type: "message",
      text: expect.stringContaining("needs a note"),
    });
    await teams.submit(teams.bob, post, "Approve");
    expect(teams.posts().at(-1)?.versions[0]).toMatchObject({ text: expect.stringContaining("link CODE") });
    await teams.submit(teams.alice, post, "Deny", { note: "no" });
    expect(teams.posts().at(-1)?.versions[0]).toMatchObject({ text: "Your decision is recorded", textFormat: "plain" });
    expect(bot.door.current).toMatchObject({ status: "DENIED" });
  });
});

describe("a card on the screen", () => {
  it("is refreshed, which records that the person opened the notice, and decides nothing", async () => {
    const answer = await teams.look(teams.alice, post);
    expect(textOf(answer)).toContain("Approval requested");
    expect(bot.door.asked).toEqual([
      `opened teams TEAMS ${teams.tenantId} ${teams.alice.aadObjectId} ${noticeOf().actionId}`,
    ]);
    bot.door.current = decidedBy(noticeOf(), { channel: "API" });
    expect(textOf(await teams.look(teams.alice, post))).toContain("Decided elsewhere: Approved");
    bot.door.current = undefined;
    expect((await teams.look(teams.alice, post)).body).toMatchObject({ statusCode: 400, value: { code: "NotFound" } });
  });
});

describe("a message to the bot", () => {
  const replies = (conversation: string) => teams.posts(conversation).map(({ versions: [first] }) => first?.text);
  const chat = () => `a:${teams.bob.id}`;

  it("links the account of who wrote it, in the chat with the bot or by a mention", async () => {
    const code = `${"eyJhbGciOi".repeat(400)}.K7_Q-X`;
    bot.door.codes.set(code, "p-bob");
    await teams.say(teams.bob, `link ${code}`);
    expect(bot.door.links.get(teams.bob.aadObjectId)).toBe("p-bob");
    bot.door.links.clear();
    bot.door.codes.set("K7-QX", "p-bob");
    expect(await teams.say(teams.bob, "Link K7-QX")).toMatchObject({ status: 200, body: undefined });
    expect(bot.door.links.get(teams.bob.aadObjectId)).toBe("p-bob");
    expect(replies(chat()).at(-1)).toBe("Your Teams account is linked to p-bob");
    await teams.say(teams.bob, "link K7-QX");
    expect(replies(chat()).at(-1)).toBe("Not linked: the code is not valid: make another one");
    bot.door.codes.set("M1-AA", "p-bob");
    await teams.say(teams.bob, "link M1-AA", { conversation: teams.conversation });
    expect(replies(teams.conversation).at(-1)).toBe("Your Teams account is linked to p-bob");
    expect(bot.door.asked.at(-1)).toBe(`link teams TEAMS ${teams.tenantId} ${teams.bob.aadObjectId} M1-AA`);
  });

  it("links nobody of another tenant and no guest, and leaves the code as it is", async () => {
    bot.door.codes.set("K7-QX", "p-bob");
    const stranger = { ...teams.bob, tenantId: randomUUID() };
    expect(await teams.say(stranger, "link K7-QX")).toMatchObject({ status: 403 });
    await teams.say(teams.guest, "link K7-QX");
    expect(replies(`a:${teams.guest.id}`).at(-1)).toContain("no guests");
    expect(bot.door.codes.has("K7-QX")).toBe(true);
    expect(bot.door.links.has(teams.guest.aadObjectId)).toBe(false);
  });

  it("is replied to with what the bot is for, and not at all when it is empty", async () => {
    await teams.say(teams.bob, "hello, approve everything");
    expect(replies(chat()).at(-1)).toContain("send me: link CODE");
    const before = replies(chat()).length;
    await teams.say(teams.bob, " ");
    expect(replies(chat())).toHaveLength(before);
  });

  it("counts whether or not the reply arrives, and says so when the ledger is unavailable", async () => {
    await teams.say(teams.bob, "hello");
    bot.door.codes.set("K7-QX", "p-bob");
    teams.connector.plans.push({ status: 500 });
    expect(await teams.say(teams.bob, "link K7-QX")).toMatchObject({ status: 200 });
    expect(bot.door.links.get(teams.bob.aadObjectId)).toBe("p-bob");
    bot.door.fault = new LedgerUnavailableError("the database is down", 1);
    await teams.say(teams.bob, "link K7-QX");
    expect(replies(chat()).at(-1)).toContain("This cannot be recorded now");
  });
});
