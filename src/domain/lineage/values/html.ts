import { Tokenizer } from "htmlparser2";
import { type Leaf, nameLeaf } from "./leaf.ts";

/** Elements that begin a record: their texts belong together. */
const RECORDS = new Set(
  "address article blockquote div dl figure form h1 h2 h3 h4 h5 h6 li p section table tr".split(" "),
);
/** Elements whose texts are values of their own within a record. */
const CELLS = new Set("a br dd dt label noscript option script style summary td template textarea th title".split(" "));
/** Elements whose text is no markup, and may be JSON or the like. */
const RAW = new Set(["script", "style"]);
/** Characters that are read in one go. */
const PIECE = 16 * 1024;

/** Whether an element is closed in its first characters. */
export function looksLikeHtml(text: string): boolean {
  const start = text.slice(0, 4_096);
  return /<[a-z][a-z0-9]*[\s>/]/i.test(start) && /<\/[a-z][a-z0-9]*\s*>|<(?:br|hr|img|p|li|td)\b/i.test(start);
}

/** A text of HTML that may be read as something else: a comment, or what an element like `script` holds. */
export type RawLeaf = Leaf & { readonly value: string };

/**
 * The texts of elements, whether they are shown or not, comments, and the values of attributes. Takes whatever looks like HTML, in time in proportion to
 * its length: which element is in which is not looked at. `readRaw`: reads what may be no HTML.
 */
export function* htmlValues(
  text: string,
  path: string,
  nextRecord: () => number,
  readRaw: (leaf: RawLeaf) => Generator<Leaf>,
): Generator<Leaf> {
  let found: (Leaf | RawLeaf)[] = [];
  const raw = new Set<Leaf>();
  let count = 0;
  let record = nextRecord();
  let pending = "";
  let attribute = "";
  let tag = "";
  let isRaw = false;

  function add(value: string, mayBeOther = false): void {
    const trimmed = value.trim();
    if (trimmed === "") return;
    const leaf: RawLeaf = { path: `${path}#html/${count++}`, value: trimmed, record };
    if (mayBeOther) raw.add(leaf);
    found.push(leaf);
  }
  /** Of elements and attributes, which may have been made of values. */
  function addName(name: string): void {
    found.push(...nameLeaf(name, `${path}#html/${count}`, record));
  }
  function flush(): void {
    add(pending, isRaw);
    pending = "";
  }
  function boundary(name: string): void {
    if (!RECORDS.has(name) && !CELLS.has(name)) return;
    flush();
    if (RECORDS.has(name)) record = nextRecord();
  }
  const open = () => {
    isRaw = RAW.has(tag);
  };

  const tokenizer = new Tokenizer(
    { decodeEntities: true },
    {
      onopentagname(start, end) {
        tag = text.slice(start, end).toLowerCase();
        addName(tag);
        boundary(tag);
      },
      onopentagend: open,
      onselfclosingtag: open,
      onclosetag(start, end) {
        boundary(text.slice(start, end).toLowerCase());
        isRaw = false;
      },
      ontext(start, end) {
        pending += text.slice(start, end);
      },
      ontextentity(point) {
        pending += String.fromCodePoint(point);
      },
      onattribname(start, end) {
        addName(text.slice(start, end));
        attribute = "";
      },
      onattribdata(start, end) {
        attribute += text.slice(start, end);
      },
      onattribentity(point) {
        attribute += String.fromCodePoint(point);
      },
      onattribend() {
        add(attribute.replace(/^(?:mailto|tel):/i, ""));
      },
      oncomment(start, end, offset) {
        add(text.slice(start, end - offset), true);
      },
      oncdata(start, end, offset) {
        add(text.slice(start, end - offset), true);
      },
      ondeclaration(start, end) {
        if (!/^!?doctype\s+html\s*$/i.test(text.slice(start, end))) add(text.slice(start, end), true);
      },
      onprocessinginstruction(start, end) {
        add(text.slice(start, end), true);
      },
      onend() {},
    },
  );
  function* take(): Generator<Leaf> {
    for (const leaf of found) {
      if (raw.has(leaf)) yield* readRaw(leaf as RawLeaf);
      else yield leaf;
    }
    found = [];
    raw.clear();
  }
  for (let at = 0; at < text.length; at += PIECE) {
    tokenizer.write(text.slice(at, at + PIECE));
    yield* take();
  }
  tokenizer.end();
  flush();
  yield* take();
}
