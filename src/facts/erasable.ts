import { type Canonicalizable, CanonicalText, canonicalize } from "./canonical.ts";

declare const VALUE: unique symbol;

/** Marks a value of a body that must not enter the hashed bytes. */
export class Erasable<Value = unknown> {
  /** RFC 8785 text of the value. */
  readonly text: string;
  declare readonly [VALUE]?: Value;

  constructor(value: Value | CanonicalText<Value>) {
    this.text = value instanceof CanonicalText ? value.text : canonicalize(value as Canonicalizable);
  }
}
