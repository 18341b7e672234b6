import type { JsonObject } from "../facts/canonical.ts";

/** A thing that an entry rests on without moving it: it has this version when the entry is recorded, and has not expired. */
export interface Rest {
  readonly kind: string;
  readonly id: string;
  readonly version: number;
}

/** What the vocabulary of facts says of entries. What is not given is not checked. */
export interface Rules {
  /** What an entry with this body rests on beside what it moves. */
  readonly restsOf?: (body: JsonObject) => readonly Rest[];
  /** What is wrong with the members of a body, each with its path; empty when it is as its type says. */
  readonly checkBody?: (body: JsonObject) => readonly string[];
  /** Whether a thing may come from one status to another; from null: whether it may begin with it. */
  readonly isLegalStep?: (kind: string, from: StateStatus | null, to: StateStatus) => boolean;
}

/** Of a state: its member `status`, which not every kind has. */
export type StateStatus = string | undefined;
