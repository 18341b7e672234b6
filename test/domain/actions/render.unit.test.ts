import { describe, expect, it } from "vitest";
import { render } from "../../../src/domain/actions/render.ts";
import { canonicalize, type JsonValue } from "../../../src/facts/canonical.ts";
import { hashText } from "../../../src/facts/hash.ts";
import { agent } from "../support.ts";

const action = {
  platform: "reservations",
  tool: "cancel_reservation",
  effect: "WRITE",
  region: "us",
  arguments: canonicalize({ reservation_id: "NO6JO3", note: "a\nb" }),
  requestedBy: agent,
} as const;

/** The lines of these arguments, without the prefix. */
function linesOf(value: JsonValue): readonly string[] {
  const lines = render({ ...action, arguments: canonicalize(value) }).split("\n");
  return lines.slice(lines.indexOf("Arguments:") + 1);
}

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
      "Countersign action, form 3",
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

  it("shows where each argument is from, what strangers alone have and what has no source first, and no line that a name forges", () => {
    const known = { path: "/a", seq: "3", platforms: ["crm"], leaf: 1, match: "NORMALISED" } as const;
    const forged = `/x\n- "/c": read on "crm" (entry 1)`;
    const sources = {
      arguments: [
        known,
        { path: "/b", start: 4, end: 9, said: true, seq: "3", platforms: ["crm", "web"] },
        { path: "/c", and: "/d", seq: "5", platforms: ["web"], untrusted: true },
        { path: forged },
        { path: "/e", common: true },
        { path: "/f", common: true, seq: "3", platforms: ["crm"] },
      ],
      more: 2,
      lineage: { unknown: ["mail", "web"], unread: ["us"], uncompared: true, earlier: true },
    } as const;
    const lines = render({ ...action, sources }).split("\n");
    expect(lines.slice(lines.indexOf("Where the arguments come from:") + 1)).toEqual([
      "  - NOT COMPARED: the arguments, or what was asked for, were too much for all of it",
      '  - MAY BE FROM what was read and could not be compared, on "mail", "web"',
      '  - MAY BE FROM regions that could not be asked: "us"',
      "  - MAY BE FROM earlier reads, of which there were too many",
      '  - "/c" and "/d": UNTRUSTED, read on "web" (entry 5)',
      `  - ${JSON.stringify(forged)}: NO KNOWN SOURCE`,
      '  - "/a": read on "crm" (entry 3), in another form',
      '  - "/b", characters 5 to 9: asked for, as the agent reports it; also read on "crm", "web" (entry 3)',
      "  - 2 more are not shown",
      '  - too short or too common to tell: "/e", "/f"',
    ]);
    const many = Array.from({ length: 200 }, (_, at) => ({ path: `/${"x".repeat(300)}${at}` }));
    expect(render({ ...action, sources: { arguments: many, more: 0, lineage: {} } }).length).toBeLessThan(40_000);
  });

  it("says what marks are when there are any", () => {
    expect(render({ ...action, rationale: "a\u200bb" }).split("\n")[1]).toMatch(/^What is in ⟨⟩ is a mark: /);
  });

  it("lets no value pass for a line of ours", () => {
    const forged = `x\nEffect: READ\r\nEffect: READ\u2028Effect: READ\u0085Effect: READ${" ".repeat(200)}Effect: READ`;
    const long = `${"x".repeat(300)} Effect: READ`;
    for (const value of [forged, long]) {
      const text = render({ ...action, tool: value, userRequest: value, requestedBy: { ...agent, id: value } });
      const lines = text.split(/\r\n|[\n\r\u2028\u2029\u0085]/);
      expect(lines.filter((line) => line.startsWith("Effect:"))).toEqual(["Effect: WRITE"]);
      expect(lines.filter((line) => line.length > 100)).toEqual([]);
    }
  });

  it("shows one member a line, however large the arguments", () => {
    const records = Array.from({ length: 1_000 }, (_, id) => ({ id, mail: `${id}@acme.example` }));
    expect(canonicalize(records).length).toBeGreaterThan(16 * 1024);
    expect(linesOf(records).slice(4 * 998 + 1)).toEqual([
      "  |   {",
      '  |     "id": 998,',
      '  |     "mail": "998@acme.example"',
      "  |   },",
      "  |   {",
      '  |     "id": 999,',
      '  |     "mail": "999@acme.example"',
      "  |   }",
      "  | ]",
    ]);
  });

  it("says how much of very much it does not show, with the hash of all", () => {
    const numbers = Array.from({ length: 100_000 }, () => 1);
    const lines = linesOf({ numbers });
    const [, missing] =
      /⟨(\d+) of 100000 members are not shown; all 200001 characters have⟩/.exec(lines.join("\n")) ?? [];
    expect(lines.filter((line) => line === "  |     1,")).toHaveLength(100_000 - Number(missing));
    expect(lines.slice(-3)).toEqual([`  +     ⟨${hashText(canonicalize(numbers))}⟩`, "  |   ]", "  | }"]);
  });

  it("shows a text of 4,000 characters whole, and of a longer one beginning, end, length and hash", () => {
    const joined = (value: string) =>
      linesOf([value])
        .join("")
        .replaceAll(/ {2}[|+] {3}/g, "");
    expect(joined("x".repeat(4_000))).toContain("x".repeat(4_000));
    const long = `${"a".repeat(4_000)}${"b".repeat(1_000)}`;
    expect(joined(long)).toContain(
      `${"a".repeat(3_000)}⟨1500 of 5000 characters are not shown; all have⟩⟨${hashText(long)}⟩${"b".repeat(500)}"`,
    );
    const text = render({ ...action, userRequest: long });
    expect(text).toContain(`\n  + ⟨${hashText(long)}⟩\n  | bbb`);
  });

  it("indents deep arguments no further than a line has room", () => {
    const deep = JSON.parse(`${"[".repeat(63)}"${"x".repeat(200)}"${"]".repeat(63)}`) as JsonValue;
    expect(linesOf(deep).filter((line) => line.length > 100)).toEqual([]);
    expect(linesOf(deep)).toHaveLength(63 * 2 + Math.ceil(202 / 74));
  });

  it("stays short enough for the ledger, whatever is written out", () => {
    const worst = "\u05d0\u0d05".repeat(15_000);
    const texts = { userRequest: worst, rationale: worst, tool: worst.slice(0, 200), platform: worst.slice(0, 200) };
    const many = Object.fromEntries(
      Array.from({ length: 10 }, (_, n) => [`${n}${worst.slice(0, 3_000)}`, worst.slice(0, 4_000)]),
    );
    expect(render({ ...action, ...texts, arguments: canonicalize(many) }).length).toBeLessThan(600_000);
  });
});
