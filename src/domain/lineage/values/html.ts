import { Parser } from "htmlparser2";
import type { Leaf } from "./leaf.ts";

/** Elements that begin a record: their texts belong together. */
const RECORDS = new Set(
  "address article blockquote div dl figure form h1 h2 h3 h4 h5 h6 li p section table tr".split(" "),
);
/** Elements whose texts are values of their own within a record. */
const CELLS = new Set("a br dd dt label option summary td th title".split(" "));
/** What a browser shows nothing of. */
const UNSEEN = new Set("noscript script style template".split(" "));
/** Attributes that hold values. */
const ATTRIBUTES = ["href", "value", "content", "alt", "title", "datetime"];
/** Characters that the parser takes in one go. */
const PIECE = 16 * 1024;

/** Whether an element is closed in its first characters. */
export function looksLikeHtml(text: string): boolean {
  const start = text.slice(0, 4_096);
  return /<[a-z][a-z0-9]*[\s>/]/i.test(start) && /<\/[a-z][a-z0-9]*\s*>|<(?:br|hr|img|p|li|td)\b/i.test(start);
}

/** The texts of elements, and attributes that hold values. Takes whatever looks like HTML; nothing nests on the stack. */
export function* htmlValues(text: string, path: string, nextRecord: () => number): Generator<Leaf> {
  let found: Leaf[] = [];
  let count = 0;
  let record = nextRecord();
  let pending = "";
  let unseen = 0;

  function add(value: string): void {
    const trimmed = value.trim();
    if (trimmed !== "") found.push({ path: `${path}#html/${count++}`, value: trimmed, record });
  }
  function flush(): void {
    add(pending);
    pending = "";
  }
  function boundary(name: string): void {
    if (!RECORDS.has(name) && !CELLS.has(name)) return;
    flush();
    if (RECORDS.has(name)) record = nextRecord();
  }

  const parser = new Parser({
    onopentag(name, attributes) {
      if (UNSEEN.has(name)) unseen += 1;
      boundary(name);
      for (const attribute of ATTRIBUTES) {
        const value = attributes[attribute];
        if (value !== undefined) add(value.replace(/^(?:mailto|tel):/i, ""));
      }
    },
    ontext(piece) {
      if (unseen === 0) pending += piece;
    },
    onclosetag(name) {
      if (UNSEEN.has(name)) unseen -= 1;
      boundary(name);
    },
  });
  for (let at = 0; at < text.length; at += PIECE) {
    parser.write(text.slice(at, at + PIECE));
    yield* found;
    found = [];
  }
  parser.end();
  flush();
  yield* found;
}
