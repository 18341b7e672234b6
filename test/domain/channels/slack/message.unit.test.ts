import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { slackText } from "../../../../src/domain/channels/slack/message.ts";
import { readBlocks, textsOf } from "../../../support/slack/blocks.ts";
import { buttonsOf } from "../../../support/slack/interactions.ts";
import { noticeMessage } from "./world.ts";

const MENTION = "<!channel> <@U0MIA> *bold* <https://evil.example|Approve> &lt;";

function blocksOf(changes: Parameters<typeof noticeMessage>[0]) {
  const blocks = readBlocks(slackText(noticeMessage(changes)).blocks);
  if (typeof blocks === "string") throw new Error(blocks);
  return blocks;
}

describe("the message of a notice", () => {
  it("says what it is about, and by when", () => {
    const { text, blocks } = slackText(noticeMessage());
    expect(text).toBe("Approval needed · 1f3a9c02 billing refund · severity HIGH · decide by 2030-01-02 03:04 UTC");
    expect(textsOf(blocks)).toEqual([
      "Approve refund?",
      "Reference: 1f3a9c02",
      "Severity: HIGH",
      "Platform: billing",
      "Tool: refund",
      "Effect: WRITE",
      "Region: eu",
      "Status: Waiting for approval",
      "Decide by: 2030-01-02 03:04 UTC",
      "finance: 1 of 2 approved",
      "Approve",
      "Approve with note…",
      "Deny…",
      "Open",
    ]);
  });

  it("has content only where it was given, preformatted, and never in what phones show", () => {
    const { text, blocks } = slackText(noticeMessage({ content: { rendered: "amount: 20" } }));
    expect(textsOf(blocks)).toContain("amount: 20");
    expect(text).not.toContain("20 ");
    expect(JSON.stringify(slackText(noticeMessage()).blocks)).not.toContain("rich_text");
  });

  it("never lets what others wrote be a mention, a link or formatting", () => {
    const blocks = blocksOf({
      tool: MENTION,
      platform: MENTION,
      reference: MENTION,
      region: MENTION,
      content: { rendered: MENTION },
      requirements: [{ group: MENTION, needed: 1, approved: 0 }],
      decisions: [{ verdict: "APPROVE", by: MENTION, channel: MENTION, at: new Date(0) }],
    });
    const json = JSON.stringify(blocks);
    expect(json).not.toContain("mrkdwn");
    expect(json).not.toMatch(/[<>]/);
    expect(json).toContain("&lt;!channel&gt;");
    // What looks escaped was written so.
    expect(json).toContain("&amp;lt;");
    expect(slackText(noticeMessage({ tool: MENTION })).text).not.toMatch(/[<>]/);
  });

  it("shows the beginning of a long content, and how much is left", () => {
    const blocks = blocksOf({ content: { rendered: `${"<".repeat(50_000)}end` } });
    expect(JSON.stringify(blocks).length).toBeLessThanOrEqual(9_000);
    expect(JSON.stringify(blocks).length).toBeGreaterThan(8_500);
    const [shown = "", note = ""] = textsOf(blocks).slice(-6);
    const left = Number(/Not all of it: (\d+) characters more/.exec(note)?.[1]);
    expect(shown.length / "&lt;".length + left).toBe(50_003);
  });

  it("is one that Slack takes, whatever it is about", () => {
    const text = fc.string({ unit: "binary", maxLength: 3_000 });
    const line = fc.record({ group: text, needed: fc.nat(), approved: fc.nat() });
    const decision = fc.record({
      verdict: fc.constantFrom("APPROVE" as const, "DENY" as const),
      by: text,
      channel: text,
      at: fc.date({ noInvalidDate: true, min: new Date(0), max: new Date("9999-12-31") }),
    });
    const changes = fc.record({
      tool: text,
      platform: text,
      reference: text,
      link: fc.constantFrom("https://countersign.example/a", `https://countersign.example/${"a".repeat(4_000)}`),
      status: fc.constantFrom("PENDING" as const, "AMBIGUOUS" as const),
      requirements: fc.array(line, { maxLength: 30 }),
      decisions: fc.array(decision, { maxLength: 30 }),
      content: fc.option(fc.record({ rendered: text }), { nil: undefined }),
    });
    fc.assert(
      fc.property(changes, (given) => {
        const blocks = blocksOf(given);
        expect(JSON.stringify(blocks).length).toBeLessThanOrEqual(9_000);
        const deciding = buttonsOf(blocks).filter(({ url }) => url === undefined);
        expect(deciding.length).toBe(given.status === "PENDING" ? 3 : 0);
      }),
      { seed: 12, numRuns: 25 },
    );
  });
});
