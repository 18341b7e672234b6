import type { DemoName } from "../../../src/domain/identity/demo-principals.ts";
import type { App } from "../../support/app.ts";
import type { Choices } from "./choices.ts";
import type { Sent } from "./sent.ts";

/** What the targets share. */
export interface World {
  readonly app: App;
  readonly sent: Sent;
  /** Texts of earlier answers, such as ids, digests and grants, the latest ones. */
  readonly known: readonly string[];
  /** Keeps what is worth sending again of an answer. */
  learn(text: string): void;
  /** How often each outcome came, as codes or as `<HTTP status>`. */
  readonly outcomes: Map<string, number>;
}

/** A door of the product that gets hostile input. */
export interface Target {
  readonly name: string;
  /** Sends one input. Resolves with what is wrong with what came of it, and undefined when nothing is. */
  try(choices: Choices): Promise<string | undefined>;
}

export const CALLERS: readonly (DemoName | undefined)[] = [
  "agent",
  "agent",
  undefined,
  "agent",
  "member",
  "approver",
  "approver",
  "approver2",
  "auditor",
  "admin",
  "outsider",
];

/** Milliseconds after which a server that sent nothing hangs. */
export const PATIENCE = 60_000;
