import prototypes from "unhomoglyph/data.json" with { type: "json" };

/** A text that somebody could take for another one. */
export interface HostileText {
  readonly kind: string;
  readonly hostile: string;
  readonly harmless: string;
}

const HARMLESS = "pay 100 to https://example.com/invoices?id=7&x={A;B} now";

/** For each character of ASCII, up to six others that UTS #39 knows as confusable with it, in place of it. */
function confusables(): readonly HostileText[] {
  const found = new Map<string, string[]>();
  for (const [character, prototype] of Object.entries(prototypes)) {
    if (character > "\u007f" && /^[!-~]$/.test(prototype)) {
      found.set(prototype, [...(found.get(prototype) ?? []), character]);
    }
  }
  return [...found].flatMap(([ascii, others]) => {
    const step = Math.max(1, Math.floor(others.length / 6));
    return others
      .filter((_, n) => n % step === 0)
      .slice(0, 6)
      .map((other) => ({ kind: "confusable", hostile: `pa${other}y it`, harmless: `pa${ascii}y it` }));
  });
}

const inserted = (kind: string, characters: Iterable<string>): readonly HostileText[] =>
  Array.from(characters, (character) => ({
    kind,
    hostile: `${HARMLESS.slice(0, 7)}${character}${HARMLESS.slice(7)}`,
    harmless: HARMLESS,
  }));

const replaced = (kind: string, pairs: readonly (readonly [hostile: string, harmless: string])[]) =>
  pairs.map(([hostile, harmless]) => ({ kind, hostile, harmless }));

const codes = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, n) => String.fromCodePoint(from + n));

export const HOSTILE_TEXTS: readonly HostileText[] = [
  ...confusables(),
  ...inserted("direction", [..."\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"]),
  ...replaced("direction", [
    ["\u05d01", "1\u05d0"],
    ["\u05d0 12 \u05d1", "\u05d1 12 \u05d0"],
    ["\u05d0-1", "1-\u05d0"],
    ["\u06f1\u0628", "\u0628\u06f1"],
    ["a\u05d0(b)", "a(b)\u05d0"],
    ["\u0627\u0644 100 \u0644\u0627", "\u0644\u0627 100 \u0627\u0644"],
    ["100\u05d0.50", "50.\u05d0100"],
    ["\u202egro.elpmaxe", "example.org"],
  ]),
  ...inserted("ignorable", [
    ..."\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b\u180e\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\u3164\ufe00\ufe0f\ufeff\uffa0",
  ]),
  ...inserted("ignorable", ["\u{e0001}", "\u{e0041}", "\u{e0100}", "\u{e01ef}", "\u{1d173}", "\u{1bca0}"]),
  ...inserted("filler", ["\u2800", "\u{1d159}", "\ufffc", "\u0640", "\u{13441}", "\ue000", "\u{f0000}"]),
  ...inserted("combining", codes(0x0334, 0x0338)),
  ...inserted("combining", [..."\u0301\u0307\u0323\u0332\u0489\u20d2\u20dd\u20e3\u1ab0\u1dc0\ufe20"]),
  ...inserted("combining", ["\u0301".repeat(3), "\u0336\u0336", "\u0300\u0301\u0302\u0303".repeat(20)]),
  ...replaced("combining", [
    ["\u0e01\u0e48\u0e48\u0e48\u0e48", "\u0e01\u0e48\u0e48\u0e48"],
    ["1\u03360\u03360\u0336", "100"],
    ["\u0915\u0902\u0902\u0902", "\u0915\u0902\u0902"],
  ]),
  ...replaced("blank", [
    ...[..."\u0009\u000b\u000c\u0085\u00a0\u1680\u2028\u2029\u202f\u205f\u3000"].map(
      (blank) => [`a${blank}b`, "a b"] as const,
    ),
    ...codes(0x2000, 0x200a).map((blank) => [`a${blank}b`, "a b"] as const),
  ]),
  ...replaced("padding", [
    ...[2, 3, 10, 80, 200, 3_000].map((count) => [`ok${" ".repeat(count)}rm -rf /`, "ok rm -rf /"] as const),
    ...[1, 2, 50].flatMap((count) => [
      [`${" ".repeat(count)}ok`, "ok"] as const,
      [`ok${" ".repeat(count)}`, "ok"] as const,
    ]),
    // Where a line is full.
    ...[84, 85, 86, 87, 88, 89].map((count) => [`${"x".repeat(count)} y`, `${"x".repeat(count)}y`] as const),
  ]),
  ...replaced("normal form", [
    ["Zoe\u0308", "Zo\u00eb"],
    ["\u212b", "\u00c5"],
    ["\u2126", "\u03a9"],
    ["\u1100\u1161", "\uac00"],
    ["\u0958", "\u0915\u093c"],
    ["\u0438\u0306", "\u0439"],
    ["\u01ce", "\u0103"],
    ["a\u0323\u0307", "a\u0307\u0323"],
    ["\u30ab\u3099", "\u30ac"],
    ["\ufb01le", "file"],
  ]),
  ...replaced("script", [
    ["p\u0430ypal", "paypal"],
    ["\u0441\u043e\u0441\u043e", "coco"],
    ["\u03ba\u03bf", "\u043a\u043e"],
    ["\u044c\u0456", "\u044b"],
    ["\u30ed", "\u53e3"],
    ["\u30cb", "\u4e8c"],
    ["\u2014", "\u4e00"],
    ["\u04cf\u043e\u0433\u0456\u043d", "login"],
    ["\u0585\u057d\u0578", "oun"],
    ["\u{1f1f3}\u{1f1f4}", "\u{1f1e7}\u{1f1fb}"],
  ]),
  ...replaced("address", [
    ["https://example.com\u2215@evil.example", "https://example.com/@evil.example"],
    ["https://example.com\u2044pay", "https://example.com/pay"],
    ["https:\u2215\u2215example.com", "https://example.com"],
    ["https://example\uff0ecom", "https://example.com"],
    ["a\u2236b", "a:b"],
    ["a\uff20b.example", "a@b.example"],
  ]),
  ...replaced("notation", [
    ["\u27e8U+202E\u27e9", "\u202e"],
    ["\u276cU+202E\u276d", "\u202e"],
    ["\u3008U+202E\u3009", "\u202e"],
    ["\u27e82 spaces\u27e9", "  "],
    ["\u27e8Cyrillic: \u0430\u27e9", "\u0430"],
    ["x\n  + y", "x y"],
    ['"\n  | "b": 1', '" "b": 1'],
  ]),
  ...replaced("long", [
    ...[4_001, 5_000, 50_000, 100_000].map((length) => ["x".repeat(length), `${"x".repeat(length - 1)}`] as const),
    [`${"x".repeat(4_000)}a${"x".repeat(4_000)}`, `${"x".repeat(4_000)}b${"x".repeat(4_000)}`],
    [`${"x".repeat(2_000)}\n${"y".repeat(20_000)}!`, `${"x".repeat(2_000)}\n${"y".repeat(20_000)}?`],
    ["\u0430".repeat(5_000), "a".repeat(5_000)],
    [" ".repeat(5_000), " ".repeat(5_001)],
  ]),
];
