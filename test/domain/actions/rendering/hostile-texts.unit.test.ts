import fc from "fast-check";
import prototypes from "unhomoglyph/data.json" with { type: "json" };
import { describe, expect, it } from "vitest";
import { render } from "../../../../src/domain/actions/render.ts";
import { canonicalize, type JsonValue } from "../../../../src/facts/canonical.ts";
import { agent } from "../../support.ts";
import { HOSTILE_TEXTS } from "./hostile-texts.ts";
import { foldAscii, seen } from "./reader.ts";

const shown = (value: JsonValue, more: { userRequest?: string } = {}) =>
  render({
    platform: "crm",
    tool: "send",
    effect: "WRITE",
    region: "eu",
    requestedBy: agent,
    arguments: canonicalize(value),
    ...more,
  });

describe("hostile texts", () => {
  it("are at least 300, of all kinds", () => {
    expect(HOSTILE_TEXTS.length).toBeGreaterThanOrEqual(300);
    expect(new Set(HOSTILE_TEXTS.map(({ kind }) => kind)).size).toBeGreaterThanOrEqual(10);
    expect(HOSTILE_TEXTS.filter(({ hostile, harmless }) => hostile === harmless)).toEqual([]);
  });

  it("are mostly such that nobody sees the difference without marks", () => {
    const unseen = HOSTILE_TEXTS.filter(({ hostile, harmless }) => seen(hostile) === seen(harmless));
    expect(unseen.length).toBeGreaterThan(300);
  });

  it.each([
    ["a value", (text: string) => shown({ text })],
    ["the name of a member", (text: string) => shown({ [text]: 1 })],
    ["an item of a list", (text: string) => shown(["a", [text], "b"])],
    ["free text", (text: string) => shown({}, { userRequest: text })],
  ])("look different from what they imitate as %s, in lines of at most 100 columns", (_, show) => {
    for (const { kind, hostile, harmless } of HOSTILE_TEXTS) {
      // Lines of free text are lines.
      if (kind === "notation" && hostile.includes("\n")) continue;
      const text = show(hostile);
      expect(seen(text), `${kind} ${JSON.stringify(hostile.slice(0, 100))}`).not.toBe(seen(show(harmless)));
      expect(text.split("\n").filter((line) => line.length > 100)).toEqual([]);
      expect(text).not.toMatch(/[^\P{C}\n]|[\p{Zl}\p{Zp}\u2800]|(?! )\p{Zs}|\p{Default_Ignorable_Code_Point}/u);
    }
  });
});

/** Characters with the same skeleton, ASCII with them. */
const alike = new Map<string, string[]>();
for (const [character, prototype] of Object.entries(prototypes)) {
  const group = alike.get(prototype) ?? [prototype];
  alike.set(prototype, [...group, character]);
}
const groups = [...alike.values()];

const ODD =
  "\u0301\u0308\u0336\u0323\u200b\u200d\u202e\u2067\ufe0f\u00a0\u2003\u2800\u3000\n\t⟨⟩❬〈\\\"'()+| \u05d0\u05d1\u05d2\u0628\u06f1\u0661\u0640" +
  "\u0915\u093c\u0902\u093e\u0e01\u0e34\u0e35\u0e48\u1100\u1161\uac00\uac01\uae4c\u044c\u0456\u044b\u0451\u0435\u30fc\u4e00\u2014\u53e3\u30ed\u{1f3ab}\u{1f1e6}\u{1d400}éèôñšž";
const character = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(..."abcdefghijklmnopqrstuvwxyzABCDEFG0123456789 /:.-_") },
  { weight: 3, arbitrary: fc.constantFrom(...ODD) },
  { weight: 3, arbitrary: fc.constantFrom(...groups).chain((group) => fc.constantFrom(...group)) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", minLength: 1, maxLength: 1 }) },
);
const text = fc.array(character, { maxLength: 12 }).map((characters) => characters.join(""));

/** Another text that could look like `original`: one of its characters becomes another, or gets company. */
const similar = (original: string) =>
  fc.tuple(fc.nat(), fc.nat(), fc.nat({ max: 5 }), character).map(([where, which, how, other]) => {
    const characters = Array.from(original);
    const at = characters.length === 0 ? 0 : where % characters.length;
    const old = characters[at] ?? "";
    const group = groups.find((one) => one.includes(old)) ?? [old, `${old}\u200b`];
    const made = [
      group[which % group.length] ?? old,
      `${old}${other}`,
      `${old} `,
      old.normalize("NFD"),
      `${characters[at + 1] ?? ""}${old}`,
      other,
    ][how];
    if (how === 4) characters.splice(at, 2, made ?? "");
    else characters[at] = made ?? "";
    return characters.join("");
  });

const pairs = text.chain((original) => fc.tuple(fc.constant(original), fc.oneof(similar(original), text)));

describe("two different arguments", () => {
  const differ = (a: JsonValue, b: JsonValue) => foldAscii(canonicalize(a)) !== foldAscii(canonicalize(b));

  it.each([
    ["values", (one: string): JsonValue => ({ one, two: 2 })],
    ["names", (one: string): JsonValue => ({ [one]: "x", two: 2 })],
    ["values behind a name from right to left", (one: string): JsonValue => ({ "\u05d0": one })],
    ["long lines", (one: string): JsonValue => [`${"x".repeat(80)}${one}${"y".repeat(80)}`]],
  ])("never give texts that look the same: %s", (_, made) => {
    fc.assert(
      fc.property(pairs, ([one, other]) => {
        const [a, b] = [one, other].map((part) => made(part.toWellFormed().replaceAll("\0", "")));
        if (a === undefined || b === undefined) return;
        fc.pre(differ(a, b));
        expect(seen(shown(a))).not.toBe(seen(shown(b)));
      }),
      { seed: 20_261_126, numRuns: 1_500 },
    );
  });
});
