import { describe, expect, it } from "vitest";
import { markedUp } from "../../../../src/domain/actions/rendering/notation.ts";

const markedUpText = (text: string) =>
  markedUp(text)
    .map((piece) => piece.text)
    .join("");

describe("markedUp", () => {
  it.each([
    ["ASCII", "a b: {c} <d> 100%", "a b: {c} <d> 100%"],
    ["right-to-left override", "a\u202eb", "a⟨U+202E⟩b"],
    ["zero-width space and joiner", "\u200b\u200d", "⟨U+200B⟩⟨U+200D⟩"],
    ["byte order mark, soft hyphen", "\ufeff\u00ad", "⟨U+FEFF⟩⟨U+00AD⟩"],
    ["controls", "\u0000\t\u001b[31m\u007f\u0085", "⟨U+0000⟩⟨U+0009⟩⟨U+001B⟩[31m⟨U+007F⟩⟨U+0085⟩"],
    ["line and paragraph separators", "\u2028\u2029", "⟨U+2028⟩⟨U+2029⟩"],
    ["unusual spaces", "\u00a0\u2003\u3000", "⟨U+00A0⟩⟨U+2003⟩⟨U+3000⟩"],
    ["runs of spaces, and spaces at the ends", " a  b   c ", "⟨space⟩a⟨2 spaces⟩b⟨3 spaces⟩c⟨space⟩"],
    ["nothing but spaces", "   ", "⟨3 spaces⟩"],
    ["tags beyond the basic plane", "\u{e0041}", "⟨U+E0041⟩"],
    ["variation selectors and fillers", "\ufe0f\u3164\u2800\u034f", "⟨U+FE0F⟩⟨U+3164⟩⟨U+2800⟩⟨U+034F⟩"],
    ["private use", "\ue000", "⟨U+E000⟩"],
    ["a lone surrogate", "\ud800", "⟨U+D800⟩"],
    ["our own notation", "⟨U+202E⟩", "⟨U+27E8⟩U+202E⟨U+27E9⟩"],
    ["brackets like ours", "❬〈", "⟨U+276C⟩⟨U+3008⟩"],
    ["struck-through digits", "1\u03360\u0336", "1⟨U+0336⟩0⟨U+0336⟩"],
    ["decomposed letters", "Zoe\u0308", "Zoe⟨U+0308⟩"],
    ["composed letters that have another form", "\u212b\u0958", "⟨U+212B⟩⟨U+0958⟩"],
    ["a word of two scripts", "p\u0430ypal", "p⟨Cyrillic: \u0430⟩ypal"],
    ["words of another script", "Отправить письмо", "⟨Cyrillic: Отправить письмо⟩"],
    ["letters of one script that look like one", "ьі ы", "⟨Cyrillic: ь⟩⟨U+0456⟩ ⟨Cyrillic: ы⟩"],
    ["letters of Latin that look like others", "ı æ ǎ ɑ", "⟨ı U+0131⟩ ⟨æ U+00E6⟩ ⟨ǎ U+01CE⟩ ⟨ɑ U+0251⟩"],
    ["a slash that is none", "a∕b⁄c", "a⟨U+2215⟩b⟨U+2044⟩c"],
    ["forms for compatibility", "ａ𝐚①ﬁ½", "⟨U+FF41⟩⟨U+1D41A⟩⟨U+2460⟩⟨U+FB01⟩⟨U+00BD⟩"],
    ["text from right to left", "שלום 12", "⟨Hebrew: שלום, right to left⟩ 12"],
    ["more than two marks on one letter", "ก\u0e48\u0e48\u0e48", "⟨Thai: ก\u0e48\u0e48⟩⟨U+0E48⟩"],
    ["a mark without a letter", "\u093e", "⟨U+093E⟩"],
    ["Katakana and ideographs that look like it", "ロ口", "⟨Katakana: ロ⟩口"],
    ["flags", "🇳🇴", "⟨U+1F1F3⟩⟨U+1F1F4⟩"],
    [
      "Latin letters, ideographs, Hiragana, Hangul, symbols",
      "Zoë Tiếng ß 東京の 안녕 €5 🎫",
      "Zoë Tiếng ß 東京の 안녕 €5 🎫",
    ],
  ])("%s", (_, text, marked) => {
    expect(markedUpText(text)).toBe(marked);
  });

  it("splits long text of a script between words, and long words anywhere", () => {
    const word = "слово".repeat(5);
    expect(markedUpText(`${word} ${word}`)).toBe(`⟨Cyrillic: ${word}⟩ ⟨Cyrillic: ${word}⟩`);
    expect(markedUpText(word.repeat(2))).toBe(
      `⟨Cyrillic: ${word.repeat(2).slice(0, 40)}⟩⟨Cyrillic: ${word.repeat(2).slice(40)}⟩`,
    );
  });
});
