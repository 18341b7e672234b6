import { describe, expect, it } from "vitest";
import { cardActivity, noticeCard } from "../../../../src/domain/channels/teams/card.ts";
import { plainText } from "../../../../src/domain/channels/teams/plain-text.ts";
import { ACTION_STATUSES } from "../../../../src/facts/areas/actions.ts";
import { activityProblem, type Card, cardText } from "../../../support/teams/cards.ts";
import { decidedBy, noticeOf } from "./bot.ts";

const cardOf = (...args: Parameters<typeof noticeCard>) => noticeCard(...args) as unknown as Card;

/** Names of the classes of what clients read as more than text. */
const HOSTILE = [
  "[Approve](https://evil.example)",
  "![x](https://evil.example/pixel.png)",
  "**bold** _and_ # title",
  "{{DATE(2017-02-14T06:08:39Z, SHORT)}}",
  "{{{TIME(2017-02-14T06:08:39Z)}}}",
  "<at>everyone</at> <b>&lt;",
  "a\u202Ecba\u0000\u200b",
];

describe("the card of a notice", () => {
  it("says what it is about, how severe, until when, and how far it is", () => {
    const requirements = [
      { group: "treasury", needed: 2, approved: 1 },
      { group: "security", needed: 1, approved: 0 },
    ];
    const { text, ...rest } = { text: cardText(cardOf(noticeOf({ requirements }), { decides: true })) };
    expect(rest).toEqual({});
    expect(text.split("\n").slice(0, 7)).toEqual([
      "Approval requested",
      "Reference: 3fa9c1d2",
      "Tool: refund",
      "Platform: billing (WRITE, region eu)",
      "Severity: HIGH",
      "Decide until: 2030-01-02 03:04 UTC",
      "Approvals: 1 of 2 by treasury",
    ]);
    expect(text).toContain("Approvals: 0 of 1 by security");
  });

  it("has buttons only while people can decide, by a bot", () => {
    const titles = (...args: Parameters<typeof noticeCard>) => cardOf(...args).actions?.map(({ title }) => title);
    for (const status of ACTION_STATUSES.filter((one) => one !== "PENDING")) {
      expect(titles(noticeOf({ status, deadline: undefined }), { decides: true }), status).toEqual([
        "Open in Countersign",
      ]);
    }
    expect(titles(noticeOf({ deadline: undefined }), { decides: true })).toEqual(["Open in Countersign"]);
    expect(titles(noticeOf(), { decides: false })).toEqual(["Open in Countersign"]);
    expect(titles(noticeOf(), { decides: true })).toEqual(["Approve", "Deny", "Open in Countersign"]);
  });

  it("carries what is decided in its buttons, for old clients too, and refreshes itself for whoever looks at it", () => {
    const { actionId, digest } = noticeOf();
    const { actions = [], refresh, version } = cardOf(noticeOf(), { decides: true });
    expect(version).toBe("1.5");
    expect(actions[0]).toMatchObject({ type: "Action.Execute", verb: "approve", data: { actionId, digest } });
    expect(actions[1]?.fallback).toEqual({
      type: "Action.Submit",
      title: "Deny",
      data: { verb: "deny", actionId, digest },
    });
    expect(refresh).toEqual({
      action: { type: "Action.Execute", title: "Refresh", verb: "refresh", data: { actionId } },
    });
  });

  it("says where it was decided when that was not in Teams", () => {
    const text = (channel: string) => cardText(cardOf(decidedBy(noticeOf(), { channel }), { decides: true }));
    expect(text("API")).toMatch(/^Decided elsewhere: Approved\n/);
    expect(text("TEAMS")).toMatch(/^Approved\n/);
    // Two approvals are needed, and one is there: nothing is decided yet.
    const waiting = {
      ...decidedBy(noticeOf(), { channel: "API" }),
      status: "PENDING",
      deadline: new Date("2030-01-02"),
    } as const;
    expect(cardText(cardOf(waiting, { decides: true }))).toMatch(/^Approval requested\n/);
  });

  it("shows hostile names and content as text, never as Markdown, dates or mentions", () => {
    for (const hostile of HOSTILE) {
      const message = noticeOf({
        tool: hostile,
        platform: hostile,
        reference: hostile,
        region: hostile,
        requirements: [{ group: hostile, needed: 1, approved: 0 }],
        decisions: [{ verdict: "APPROVE", by: hostile, channel: hostile, at: new Date(0) }],
        content: { rendered: `${hostile}\n${hostile}` },
      });
      const card = noticeCard(message, { decides: true, remark: hostile });
      const blocks = card.body.filter(({ type }) => type === "TextBlock").map(({ text }) => text);
      expect(blocks).toEqual(["Approval requested"]);
      const text = JSON.stringify(cardActivity(message, card));
      expect(text).not.toMatch(/\{\{(DATE|TIME)/);
      expect(text).not.toMatch(/\u202e|\\u0000|\u200b/);
      expect(cardText(card as unknown as Card)).toContain(plainText(hostile, 100));
    }
  });

  it("has content only where the channel may have it, line by line, and says how much it leaves out", () => {
    expect(cardText(cardOf(noticeOf(), { decides: true }))).not.toContain("amount");
    const shown = cardOf(noticeOf({ content: { rendered: "Arguments:\n  amount: 5\n\nend" } }), { decides: true });
    expect(cardText(shown)).toContain("Arguments:\n\u00a0\u00a0amount: 5\n\u00a0\nend");
    const long = noticeOf({ content: { rendered: Array.from({ length: 500 }, (_, at) => `line ${at}`).join("\n") } });
    expect(cardText(cardOf(long, { decides: true }))).toMatch(
      /line 0\n.*\n4\d\d more lines are not shown: open the action/s,
    );
  });

  it("fits into a message of Teams, whatever it is about", () => {
    const worst = '"\\'.repeat(5_000);
    for (const filler of [worst, "x".repeat(10_000), "😀".repeat(5_000), "\u0001".repeat(10_000)]) {
      const message = noticeOf({
        tool: filler,
        platform: filler,
        reference: filler,
        region: filler,
        requirements: Array.from({ length: 50 }, () => ({ group: filler, needed: 9, approved: 9 })),
        decisions: Array.from(
          { length: 50 },
          () => ({ verdict: "DENY", by: filler, channel: "API", at: new Date() }) as const,
        ),
        content: { rendered: `${filler}\n`.repeat(100) },
        link: `https://${"c".repeat(60)}.example/actions/5f9d6fa4-9d8e-4a2b-9d1f-6c3d1e1b2a30`,
      });
      const activity = cardActivity(message, noticeCard(message, { decides: true, remark: filler }));
      expect(activityProblem(activity as Record<string, unknown>, JSON.stringify(activity))).toBeUndefined();
      expect(JSON.stringify(activity).isWellFormed()).toBe(true);
      expect(JSON.stringify(activity)).toContain("44 more groups are asked");
    }
  });
});
