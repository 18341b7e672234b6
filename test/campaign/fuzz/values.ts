import type { Choices } from "./choices.ts";

const TEXTS = [
  "",
  "crm",
  "send_certificate",
  "support",
  "vouchers",
  "search_direct_flight",
  "get_user_details",
  "acme",
  "acme/eu",
  "Please send it.",
  "null",
  "0",
  "-1",
  "9223372036854775808",
  "1e400",
  "2026-02-30T25:61:00Z",
  "2026-11-26T12:00:00.000000Z",
  "9999999-01-01T00:00:00Z",
  "00000000-0000-4000-8000-000000000000",
  "f".repeat(64),
  "__proto__",
  "constructor",
  "{{7*7}}#{7*7}",
  "'; DROP TABLE oc_audit_log; --",
  "%' OR 1=1 \\",
  "\\u0000",
  "\0",
  "\n\r\n",
  "\ud800",
  "\udc00x\ud800",
  "\ufeff",
  "\u202ereversed",
  "e\u0301".repeat(40),
  "\u{e0041}",
  "\u{1f468}\u200d\u{1f469}",
  " ".repeat(300),
  "x".repeat(201),
  "x".repeat(5_000),
  "\u00e9".repeat(20_000),
  "<script>alert(1)</script>",
  "../../etc/passwd",
  "Bearer x",
] as const;

const NUMBERS = [
  0,
  -0,
  1,
  -1,
  2,
  7,
  100,
  101,
  1_000,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 53,
  2 ** 53 + 2,
  -(2 ** 63),
  0.1,
  1e308,
];

/** A text that programs often mishandle, or one of `known`. */
export function textOf(choices: Choices, known: readonly string[] = []): string {
  if (known.length > 0 && choices.oneIn(3)) return choices.pick(known);
  if (choices.oneIn(12)) return TEXTS[choices.below(TEXTS.length)] + textOf(choices, known);
  return choices.pick(TEXTS);
}

export function numberOf(choices: Choices): number {
  return choices.oneIn(6) ? choices.below(0xff_ffff) : choices.pick(NUMBERS);
}

/** Any value that JSON has a text for, at most `depth` deep. */
export function jsonOf(choices: Choices, depth = 3): unknown {
  switch (choices.below(depth > 0 ? 8 : 5)) {
    case 0:
      return textOf(choices);
    case 1:
      return numberOf(choices);
    case 2:
      return null;
    case 3:
      return choices.oneIn(2);
    case 4:
      return choices.oneIn(9) ? nested(choices.below(120)) : choices.below(10);
    case 5:
      return choices.some(4, () => jsonOf(choices, depth - 1));
    default: {
      const members = choices.some(4, () => [textOf(choices), jsonOf(choices, depth - 1)] as const);
      // Not by assignment, which would set the prototype for "__proto__".
      return Object.fromEntries(members);
    }
  }
}

function nested(depth: number): unknown {
  return JSON.parse("[".repeat(depth + 1) + "]".repeat(depth + 1));
}

const PIECES = [
  "{",
  "}",
  "[",
  "]",
  "(",
  ")",
  '"',
  '"""',
  "\\",
  ":",
  ",",
  "$",
  "@",
  "...",
  "!",
  "#",
  "\0",
  "\ufeff",
  "\ud800",
  "é",
  " ",
  "\n",
  "null",
  "1e999",
  "-",
  "\u202e",
];

/** `text` with a few characters removed, repeated, moved or inserted. */
export function damaged(choices: Choices, text: string): string {
  let changed = text;
  for (let times = choices.below(4); times >= 0; times -= 1) {
    const from = choices.below(changed.length + 1);
    const to = Math.min(changed.length, from + 1 + choices.below(12));
    const part = changed.slice(from, to);
    switch (choices.below(4)) {
      case 0:
        changed = changed.slice(0, from) + choices.pick(PIECES) + changed.slice(from);
        break;
      case 1:
        changed = changed.slice(0, from) + changed.slice(to);
        break;
      case 2:
        changed = changed.slice(0, to) + part.repeat(1 + choices.below(40)) + changed.slice(to);
        break;
      default:
        changed = changed.slice(0, from) + choices.pick(PIECES) + changed.slice(to);
    }
  }
  return changed;
}
