import type { App } from "../support/app.ts";

/** The calls that make up the whole life of a write, in their order. */
export const STEPS = ["propose", "approve", "claim", "redeem", "complete"] as const;
export type Step = (typeof STEPS)[number];

/** A server that is killed and started again; `app` is undefined while there is none. */
export interface Place {
  readonly name: string;
  app: App | undefined;
}

/** What a caller of a step got. */
export type Reply =
  /** It is recorded: where, and what the next step needs. */
  | {
      readonly how: "ACKNOWLEDGED";
      readonly id: string;
      /** The UUID in `id`, as entries have it. */
      readonly action: string;
      readonly digest: string;
      readonly seq: string;
      readonly hash: string;
      readonly token: string | undefined;
    }
  | { readonly how: "REFUSED"; readonly code: string }
  /** The server said, or it is certain, that nothing was recorded. */
  | { readonly how: "NOTHING"; readonly code: string }
  /** It may have been recorded. */
  | { readonly how: "UNKNOWN"; readonly code: string }
  /** No server should ever say this because it, or the database, was killed. */
  | { readonly how: "FAULT"; readonly code: string; readonly message: string };

const mutation = (name: string, input: string, more = "") =>
  `mutation ($input: ${input}!) {
    step: ${name}(input: $input) { action { id digest } entry { seq hash } ${more} userErrors { code } }
  }`;

const DOCUMENTS: Readonly<Record<Step, string>> = {
  propose: mutation("proposeAction", "ProposeActionInput"),
  approve: mutation("approveAction", "ApproveActionInput"),
  claim: mutation("claimGrant", "ClaimGrantInput", "grant { token }"),
  redeem: mutation("redeemGrant", "RedeemGrantInput"),
  complete: mutation("completeAction", "CompleteActionInput"),
};

interface Answered {
  readonly step: {
    readonly action: { readonly id: string; readonly digest: string } | null;
    readonly entry: { readonly seq: string; readonly hash: string } | null;
    readonly grant?: { readonly token: string } | null;
    readonly userErrors: readonly { readonly code: string }[];
  } | null;
}

/** What servers may say while a database is away. */
const PASSING: ReadonlySet<string> = new Set(["LEDGER_UNAVAILABLE", "LEDGER_LOCKED"]);

/** Sends one step once, to the server that is at `place`. */
export async function send({ app }: Place, step: Step, input: object, token: string): Promise<Reply> {
  if (app === undefined) return { how: "NOTHING", code: "NO_SERVER" };
  let answer: Awaited<ReturnType<typeof app.post<Answered>>>;
  try {
    answer = await app.post<Answered>(DOCUMENTS[step], { input }, token);
  } catch (error) {
    return lost(error);
  }
  const { data, errors = [] } = answer;
  const [error] = errors;
  if (error !== undefined) {
    const { code = "NO_CODE", outcome } = error.extensions ?? {};
    if (!PASSING.has(code)) return { how: "FAULT", code, message: error.message };
    return { how: outcome === "NOTHING" ? "NOTHING" : "UNKNOWN", code };
  }
  const found = data?.step;
  const [refusal] = found?.userErrors ?? [];
  if (refusal !== undefined) return { how: "REFUSED", code: refusal.code };
  if (!found?.action || !found.entry) return { how: "FAULT", code: "NO_ENTRY", message: JSON.stringify(answer) };
  const { id, digest } = found.action;
  return { how: "ACKNOWLEDGED", id, action: uuidOf(id), digest, ...found.entry, token: found.grant?.token };
}

/** The last part of `Action:<ledger>:<uuid>`, in base64url. */
function uuidOf(id: string): string {
  return Buffer.from(id, "base64url").toString().split(":").at(-1) ?? "";
}

/** What it means that there was no answer. */
function lost(error: unknown): Reply {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "CONNECTION";
  return { how: code === "ECONNREFUSED" ? "NOTHING" : "UNKNOWN", code };
}

const READ = "query ($id: ID!) { action(id: $id) { digest entries { type seq hash } } }";

interface ActionEntries {
  readonly action: {
    readonly digest: string;
    readonly entries: readonly { readonly type: string; readonly seq: string; readonly hash: string }[];
  } | null;
}

/** The entries of an action, by the server at `place`; undefined when it cannot be asked now. */
export async function readEntries({ app }: Place, id: string, token: string) {
  try {
    const answer = await app?.post<ActionEntries>(READ, { id }, token);
    return answer?.data?.action?.entries;
  } catch {
    return undefined;
  }
}
