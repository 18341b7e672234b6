import { randomUUID } from "node:crypto";
import type { App } from "../support/app.ts";

export const PROPOSE = `mutation ($input: ProposeActionInput!) {
  proposeAction(input: $input) { action { id status } entry { seq hash } userErrors { code } }
}`;

export interface Proposed {
  readonly proposeAction: {
    readonly action: { readonly status: string } | null;
    readonly entry: { readonly seq: string; readonly hash: string } | null;
  } | null;
}

/** What a caller was told of a proposal: where its entry is, or a code. CONNECTION: there was no answer. */
export interface Outcome {
  readonly key: string;
  readonly seq?: string;
  readonly hash?: string;
  readonly code?: string;
}

export interface Load {
  readonly outcomes: readonly Outcome[];
  acknowledged(): readonly Outcome[];
  /** Those that were told no, or nothing. */
  refused(): readonly Outcome[];
  /** Resolves when every call under way has ended. */
  stop(): Promise<void>;
}

/** Proposes a write once. The same key is the same proposal, at whichever server. `token`: of another caller than the demo agent. */
export async function propose(app: App, key: string, token?: string): Promise<Outcome> {
  const input = {
    idempotencyKey: key,
    platform: "reservations",
    tool: "cancel_reservation",
    arguments: { reservation_id: key },
  };
  try {
    const { data, errors } = await app.post<Proposed>(PROPOSE, { input }, token ?? (await app.token("agent")));
    const entry = data?.proposeAction?.entry;
    if (entry) return { key, seq: entry.seq, hash: entry.hash };
    return { key, code: errors?.[0]?.extensions?.code ?? "NO_ANSWER" };
  } catch {
    return { key, code: "CONNECTION" };
  }
}

/** Proposes without pause from `callers` callers, each ending when it finds the server gone, until told to stop. */
export function startLoad(app: App, callers: number, token?: string): Load {
  const outcomes: Outcome[] = [];
  let going = true;
  const running = Promise.all(
    Array.from({ length: callers }, async () => {
      while (going) {
        const outcome = await propose(app, randomUUID(), token);
        outcomes.push(outcome);
        if (outcome.code === "CONNECTION") return;
      }
    }),
  );
  return {
    outcomes,
    acknowledged: () => outcomes.filter(({ seq }) => seq !== undefined),
    refused: () => outcomes.filter(({ seq }) => seq === undefined),
    async stop() {
      going = false;
      await running;
    },
  };
}
