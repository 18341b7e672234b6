import { hash } from "node:crypto";

/** One value at some depth of JSON, or within a text that holds several. */
export interface Leaf {
  /**
   * Where it is, as an RFC 6901 JSON Pointer. Within a text, `#csv`, `#html`, `#json`, `#table` or `#yaml` follows, and a pointer
   * into what the text was read as.
   */
  readonly path: string;
  readonly value: string | number;
  /** Whether it is the name of a member, which has the path of that and `#name`. */
  readonly isName?: true;
  /** Of the object, array or row that holds it, unique within one walk. */
  readonly record: number;
}

/** How programs name their fields, which tells nothing of what they hold: `first_name`, `address2`, `x-id`. */
const FIELD = /^[A-Za-z_$@][\w$.:@-]*$/;

/** The name of a member as a value of its own, where it is not only what a program calls the field. */
export function* nameLeaf(name: string | number, path: string, record: number): Generator<Leaf> {
  if (typeof name === "number" || name.trim() === "" || name.length > 10_000) return;
  const isField = FIELD.test(name) && name.length <= 60 && !/\d{3}|[^@]@[^@]/.test(name);
  if (!isField) yield { path: `${path}#name`, value: name.trim(), record, isName: true };
}

/** Characters of a step of a pointer, and of a pointer: names can be as long as a payload, and each value below has them in its path. */
const LONGEST_STEP = 200;
const LONGEST_PATH = 500;

/** RFC 6901: how `name` is written in a pointer; of a very long one, the beginning and the first digits of its SHA-256. */
export function pointerStep(name: string | number): string {
  if (typeof name === "number") return `/${name}`;
  const shown = name.length > LONGEST_STEP ? `${name.slice(0, LONGEST_STEP - 20)}…${digestOf(name)}` : name;
  return `/${shown.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** The pointer to what `step` leads to from `path`; one that would be very long begins with the digits of its beginning. */
export function pathBelow(path: string, step: string): string {
  return path.length + step.length > LONGEST_PATH ? `/…${digestOf(path)}${step}` : path + step;
}

function digestOf(text: string): string {
  return hash("sha256", text).slice(0, 16);
}
