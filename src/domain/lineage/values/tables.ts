import { CsvError, parse } from "csv-parse/sync";
import type { Leaf } from "./leaf.ts";

/** Lines by which a text is judged. */
const SAMPLE = 20;
const SAMPLE_LENGTH = 16 * 1024;
/** Share of these that have to have as many fields as the first: the last may be cut, or there is a line of something else. */
const ALIKE = 0.9;
/** Characters of a field, on average, in what is taken for a table: prose has commas too. */
const LONG_FIELD = 80;
/** Characters that are parsed in one go, which nothing can interrupt. */
const PIECE = 32 * 1024;
const SEPARATOR = /^\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?$/;

/** The first lines of `text` that are not empty. */
export function sampleOf(text: string): readonly string[] {
  const lines = text.slice(0, SAMPLE_LENGTH).split(/\r?\n/);
  return lines.filter((line) => line.trim() !== "").slice(0, SAMPLE);
}

/** What separates the fields of `text`, if it looks like lines of fields. */
export function delimiterOf(text: string): string | undefined {
  // What is in quotes may hold delimiters and ends of lines.
  const lines = sampleOf(text.slice(0, SAMPLE_LENGTH).replace(/"(?:[^"]|"")*"/g, "x"));
  if (lines.length < 2) return undefined;
  return ["\t", ";", ",", "|"].find((delimiter) => {
    const counts = lines.map((line) => line.split(delimiter).length);
    const [first = 1] = counts;
    const alike = counts.filter((count) => count === first).length;
    const length = lines.join("").length / counts.reduce((sum, count) => sum + count, 0);
    return first > 1 && alike >= counts.length * ALIKE && length <= LONG_FIELD;
  });
}

/** The fields of lines of fields (RFC 4180, or with another delimiter). */
export function* csvRows(text: string, delimiter: string, path: string, nextRecord: () => number): Generator<Leaf> {
  let row = 0;
  for (const piece of piecesOf(text)) {
    for (const fields of rowsOf(piece, delimiter)) {
      const record = nextRecord();
      for (const [at, field] of fields.entries()) {
        const value = field.trim();
        if (value !== "") yield { path: `${path}#csv/${row}/${at}`, value, record };
      }
      row += 1;
    }
  }
}

function rowsOf(piece: string, delimiter: string): readonly (readonly string[])[] {
  try {
    return parse(piece, { delimiter, bom: true, relax_quotes: true, relax_column_count: true, skip_empty_lines: true });
  } catch (error) {
    // A quote that is never closed: lines are rows then.
    if (error instanceof CsvError) return piece.split(/\r?\n/).map((line) => line.split(delimiter));
    throw error;
  }
}

/** `text` cut at ends of lines where no quote is open, unless one is open for longer than a piece. */
function* piecesOf(text: string): Generator<string> {
  let start = 0;
  let isOpen = false;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text[at];
    if (unit === '"') isOpen = !isOpen;
    else if (unit === "\n" && at - start >= PIECE && (!isOpen || at - start >= 2 * PIECE)) {
      yield text.slice(start, at);
      start = at + 1;
      isOpen = false;
    }
  }
  if (start < text.length) yield text.slice(start);
}

/** Whether `text` has a table as Markdown writes it (GitHub Flavored Markdown 4.10). */
export function hasMarkdownTable(text: string): boolean {
  const lines = text.slice(0, 64 * 1024).split("\n", 1_000);
  return lines.some((line, at) => at > 0 && isSeparator(line) && lines[at - 1]?.includes("|"));
}

function isSeparator(line: string): boolean {
  return line.length <= 1_000 && line.includes("|") && SEPARATOR.test(line.trim());
}

/** The cells of the tables of `text`, and its other lines, those that follow each other as one text. */
export function* markdownRows(text: string, path: string, nextRecord: () => number): Generator<Leaf> {
  const lines = text.split("\n");
  let prose: string[] = [];
  let row = 0;
  for (const [at, line] of lines.entries()) {
    if (isSeparator(line)) continue;
    const before = lines[at - 1] ?? "";
    const isRow =
      line.includes("|") && (/^\s*\|/.test(line) || isSeparator(lines[at + 1] ?? "") || before.includes("|"));
    if (!isRow) {
      prose.push(line);
      continue;
    }
    yield* proseOf(prose, `${path}#table/${row}`, nextRecord());
    prose = [];
    const record = nextRecord();
    const cells = line
      .trim()
      .replace(/^\||\|$/g, "")
      .split("|");
    for (const [column, cell] of cells.entries()) {
      const value = cell.trim();
      if (value !== "") yield { path: `${path}#table/${row}/${column}`, value, record };
    }
    row += 1;
  }
  yield* proseOf(prose, `${path}#table/${row}`, nextRecord());
}

function* proseOf(lines: readonly string[], path: string, record: number): Generator<Leaf> {
  const value = lines.join("\n").trim();
  if (value !== "") yield { path, value, record };
}
