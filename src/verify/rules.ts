import type { JsonObject } from "../facts/canonical.ts";

/** A state that an entry depends on without changing it: it has this version at the time and has not expired. */
export interface Dependency {
  readonly kind: string;
  readonly id: string;
  readonly version: number;
}

/** An erasable value of a ledger: of the entry at a position, at a dotted path of its body. */
export interface ErasedValue {
  readonly seq: string;
  readonly path: string;
}

/** The rules of the fact types. Rules that are omitted are not checked. */
export interface Rules {
  /** The states that an entry with this body depends on without changing them. */
  readonly dependenciesOf?: (body: JsonObject) => readonly Dependency[];
  /** The problems of the members of a body, each with its path; empty when the body has the shape of its type. */
  readonly checkBody?: (body: JsonObject) => readonly string[];
  /** Whether an entry with this body has to be signed. */
  readonly canPermit?: (body: JsonObject) => boolean;
  /** The erasable values whose erasure an entry with this body orders; undefined: no type orders any. */
  readonly erasuresOf?: ((body: JsonObject) => readonly ErasedValue[]) | undefined;
  /** Whether a thing may come from one status to another; from null: whether it may begin with it. */
  readonly isLegalStep?: (kind: string, from: StateStatus | null, to: StateStatus) => boolean;
}

/** Of a state: its member `status`, which not every kind has. */
export type StateStatus = string | undefined;
