/** A part of a line: when the line is full, it is split at any place, or moved to the next one as a whole. */
export interface Piece {
  readonly text: string;
  /** Only for ASCII without spaces. */
  readonly splits: boolean;
}

/** Columns of a line, its prefix included. */
const WIDTH = 100;

/** Drawn as wide as two letters (UAX #11), as far as it is shown as it is. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\u3000-\u303f\u30fb\u30fc\p{Emoji_Presentation}]/u;

/** Columns that `text` takes in a font of fixed width. */
export function columnsOf(text: string): number {
  if (/^[ -~]*$/.test(text)) return text.length;
  let columns = 0;
  for (const character of text) columns += /\p{M}/u.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return columns;
}

/** How a line begins, and how each line begins that continues it. */
export interface Prefixes {
  readonly first: string;
  readonly next: string;
}

/**
 * `pieces` in lines of at most WIDTH columns. A space of a value that would end a line or begin the next one is written out.
 */
export function wrapped(pieces: readonly Piece[], { first, next }: Prefixes): readonly string[] {
  const whole = pieces.reduce((text, piece) => text + piece.text, first);
  // Most lines are short and of ASCII.
  if (whole.length <= WIDTH && /^[ -~]*$/.test(whole)) return [whole];
  const lines: string[] = [];
  let line = first;
  let room = WIDTH - columnsOf(first);
  let endsWithSpace = false;

  function add(text: string, columns: number): void {
    line += text;
    room -= columns;
  }

  function breakLine(): void {
    lines.push(line.trimEnd());
    line = next;
    room = WIDTH - columnsOf(next);
    if (endsWithSpace) add("⟨space⟩", 7);
    endsWithSpace = false;
  }

  for (const { text, splits } of pieces) {
    if (text === " ") {
      if (room < 1) breakLine();
      if (line === next) add("⟨space⟩", 7);
      else {
        add(" ", 1);
        endsWithSpace = true;
      }
      continue;
    }
    let rest = text;
    if (splits) {
      while (rest.length > room) {
        // A space at the end of the line goes along with what follows it.
        const part = rest.slice(0, room);
        if (part !== "") {
          add(part, part.length);
          endsWithSpace = false;
          rest = rest.slice(part.length);
        }
        breakLine();
      }
    } else if (columnsOf(rest) > room) breakLine();
    if (rest === "") continue;
    add(rest, columnsOf(rest));
    endsWithSpace = false;
  }
  lines.push(line);
  return lines;
}
