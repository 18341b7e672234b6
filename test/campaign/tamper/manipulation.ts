import type { Attempt } from "./attempts.ts";
import type { Facts } from "./prepare.ts";

export const CLASSES = [
  "entries",
  "payloads",
  "actions",
  "sessions",
  "directory",
  "chains",
  "evidence files",
  "functions and settings",
  "rights and roles",
  "partitions",
  "clock",
  "heads",
  "grants and deadlines",
  "forged appends",
] as const;
export type Class = (typeof CLASSES)[number];

/** What somebody does to an installation. All that is given is done, in this order. */
export interface Manipulation {
  readonly name: string;
  /** Statements of a superuser, in one transaction in which no guard works: `unguarded` in sql.ts. */
  readonly sql?: (facts: Facts) => string;
  /** Statements of a superuser with event triggers switched off, each by itself. `%DB%` is the database. */
  readonly plain?: string;
  /** What undoes `plain` where it reaches beyond the database. */
  readonly undo?: string;
  /** Appended with the server's login of the database: bodies of entries, as text. */
  readonly forge?: (facts: Facts) => readonly string[];
  /** Changes files in DATA_DIR/heads while no server runs. */
  readonly files?: (heads: string) => Promise<void>;
  /** What is tried afterwards on a server that only alarms, and must not succeed. */
  readonly attempts?: readonly Attempt[];
  /** Why an attempt may succeed on a server that goes on in spite of its alarms. One that stops has stopped by then. */
  readonly passes?: string;
  /** Why it is not found without evidence outside the database: INTACT, no notice, and appends that go on are then no fault. */
  readonly undetectable?: string;
}

export type Table = Readonly<Record<Class, readonly Manipulation[]>>;
