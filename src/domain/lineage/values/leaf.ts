/** One value at some depth of JSON, or within a text that holds several. */
export interface Leaf {
  /**
   * Where it is, as an RFC 6901 JSON Pointer. Within a text, `#csv`, `#html`, `#json`, `#table` or `#yaml` follows, and a pointer
   * into what the text was read as.
   */
  readonly path: string;
  readonly value: string | number;
  /** Of the object, array or row that holds it, unique within one walk. */
  readonly record: number;
}

/** RFC 6901: how `name` is written in a pointer. */
export function pointerStep(name: string | number): string {
  return typeof name === "number" ? `/${name}` : `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}
