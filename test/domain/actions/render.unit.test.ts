import { describe, expect, it } from "vitest";
import { render } from "../../../src/domain/actions/render.ts";
import { makeVisible } from "../../../src/domain/actions/visible.ts";
import { canonicalize } from "../../../src/facts/canonical.ts";
import { agent } from "../support.ts";

const action = {
  platform: "reservations",
  tool: "cancel_reservation",
  effect: "WRITE",
  region: "us",
  arguments: canonicalize({ reservation_id: "NO6JO3", note: "a\nb" }),
  requestedBy: agent,
} as const;

describe("render", () => {
  it("shows everything an approver must see", () => {
    const text = render({
      ...action,
      targetRegion: "eu",
      source: { platform: "crm", chain: "0193-c" },
      userRequest: "Cancel it.\nNow.",
      rationale: "The person asked.",
    });
    expect(text.split("\n")).toEqual([
      "Countersign action, form 1",
      'Tool: "cancel_reservation" on "reservations", the platform in region "us"',
      "Effect: WRITE",
      'Requested by: AGENT "agent" ("Demo agent")',
      'On behalf of: HUMAN "member"',
      'Data goes to region: "eu"',
      'Data may come from: "crm", chain 0193-c',
      "Arguments:",
      "  | {",
      '  |   "note": "a\\nb",',
      '  |   "reservation_id": "NO6JO3"',
      "  | }",
      "Asked for, as the agent reports it:",
      "  | Cancel it.",
      "  | Now.",
      "Reason the agent gives:",
      "  | The person asked.",
    ]);
  });

  it("lets no value pass for a line of ours", () => {
    const forged = "x\nEffect: READ\r\nEffect: READ\u2028Effect: READ\u0085Effect: READ";
    const text = render({ ...action, tool: forged, userRequest: forged, requestedBy: { ...agent, id: forged } });
    const lines = text.split(/\r\n|[\n\r\u2028\u2029\u0085]/);
    expect(lines.filter((line) => line.startsWith("Effect:"))).toEqual(["Effect: WRITE"]);
  });

  it("puts large arguments on one line", () => {
    const deep = `${"[".repeat(50)}${"1,".repeat(20_000)}1${"]".repeat(50)}`;
    expect(render({ ...action, arguments: deep }).length).toBeLessThan(deep.length + 1000);
  });
});

describe("makeVisible", () => {
  it.each([
    ["right-to-left override", "a\u202eb", "a⟨U+202E⟩b"],
    ["zero-width space and joiner", "\u200b\u200d", "⟨U+200B⟩⟨U+200D⟩"],
    ["byte order mark, soft hyphen", "\ufeff\u00ad", "⟨U+FEFF⟩⟨U+00AD⟩"],
    ["controls", "\u0000\t\u001b[31m\u007f\u0085", "⟨U+0000⟩⟨U+0009⟩⟨U+001B⟩[31m⟨U+007F⟩⟨U+0085⟩"],
    ["line and paragraph separators", "\u2028\u2029", "⟨U+2028⟩⟨U+2029⟩"],
    ["unusual spaces", "\u00a0\u2003\u3000", "⟨U+00A0⟩⟨U+2003⟩⟨U+3000⟩"],
    ["tags beyond the basic plane", "\u{e0041}", "⟨U+E0041⟩"],
    ["variation selectors and fillers", "\ufe0f\u3164\u2800\u034f", "⟨U+FE0F⟩⟨U+3164⟩⟨U+2800⟩⟨U+034F⟩"],
    ["private use", "\ue000", "⟨U+E000⟩"],
    ["a lone surrogate", "\ud800", "⟨U+D800⟩"],
    ["our own notation", "⟨U+202E⟩", "⟨U+27E8⟩U+202E⟩"],
    ["ordinary text of any script", "Zoë 東京 العربية ज़ 🎫", "Zoë 東京 العربية ज़ 🎫"],
  ])("%s", (_, text, visible) => {
    expect(makeVisible(text)).toBe(visible);
  });
});
