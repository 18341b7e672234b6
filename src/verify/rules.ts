import type { JsonObject } from "../facts/canonical.ts";
import type { EdgeColumns } from "../facts/edges.ts";

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

/** A thing that an entry depends on, as it is. Bodies have at least what `remembered` returns of them. */
export interface Dependent {
  readonly kind: string;
  readonly body: JsonObject;
  readonly recordedAt: string;
  readonly before: JsonObject;
  /** Of the entry that made the thing. */
  readonly maker: JsonObject;
}

/** A thing that an entry moves on, with what came before. */
export interface Sequel extends Dependent {
  readonly after: JsonObject;
  /** Of the entries of a vote type since. */
  readonly votes: readonly JsonObject[];
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
  /** The rows of edges that an entry with this body makes. */
  readonly edgeRowsOf?: (ledger: string, body: JsonObject, recordedAt: string) => readonly EdgeColumns[];
  /** Whether an entry of a type may bring a thing from one status to another; from null: whether it may begin with it. */
  readonly isLegalStep?: (kind: string, from: StateStatus | null, to: StateStatus, type: string) => boolean;
  /** What of a body is kept to judge the entries after it about the things that it moves. */
  readonly remembered?: (body: JsonObject) => JsonObject;
  /** The types of entries that are kept besides those that make a thing. */
  readonly voteTypes?: readonly string[];
  /** The problems of an entry that depends on a thing that is there; empty when it may. */
  readonly checkDependent?: (dependent: Dependent) => readonly string[];
  /** The problems of an entry that moves on a thing, beside its step; empty when it may follow what came before. */
  readonly checkSequel?: (sequel: Sequel) => readonly string[];
}

/** Of a state: its member `status`, which not every kind has. */
export type StateStatus = string | undefined;
