import { randomUUID } from "node:crypto";
import type { DemoName } from "../../../src/domain/identity/demo-principals.ts";
import type { Answer, App } from "../../support/app.ts";

export const WRITE = { platform: "reservations", tool: "cancel_reservation" };
export const READ = { platform: "crm", tool: "get_user_details" };

interface Refusal {
  readonly code: string;
}
/** What mutations of actions return, as far as it is used here. */
interface Acted {
  readonly action: {
    readonly id: string;
    readonly uuid: string;
    readonly digest: string;
    readonly chainHash: string;
    readonly status: string;
  } | null;
  readonly grant?: { readonly token: string } | null;
  readonly userErrors: readonly Refusal[];
}

/** Calls a mutation by its name. `select` is what is selected of its payload. */
export async function call<Payload extends { readonly userErrors: readonly Refusal[] }>(
  app: App,
  as: DemoName,
  mutation: string,
  input: object,
  select: string,
): Promise<Answer<Readonly<Record<string, Payload>>>> {
  const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
  return app.gql(`mutation($input:${type}!){${mutation}(input:$input){${select} userErrors{code}}}`, { input }, as);
}

/** The payload of a mutation that has to succeed. */
export async function done<Payload extends { readonly userErrors: readonly Refusal[] }>(
  app: App,
  as: DemoName,
  mutation: string,
  input: object,
  select: string,
): Promise<Payload> {
  const { data, errors } = await call<Payload>(app, as, mutation, input, select);
  const payload = data?.[mutation];
  if (errors !== undefined || payload === undefined || payload.userErrors.length > 0) {
    throw new Error(`${mutation}: ${JSON.stringify(errors ?? payload)}`);
  }
  return payload;
}

/** The code that a call is refused with, or "succeeded". */
export function codeOf({ data, errors }: Answer<Readonly<Record<string, unknown>>>): string {
  const [error] = errors ?? [];
  if (error !== undefined) return error.extensions?.code ?? error.message;
  const refusals = Object.values(data ?? {}).flatMap(
    (payload) => (payload as { readonly userErrors?: readonly Refusal[] } | null)?.userErrors ?? [],
  );
  return refusals[0]?.code ?? "succeeded";
}

const ACTION = "action{id uuid digest chainHash status}";

export function proposal(input: object = {}): object {
  return {
    idempotencyKey: randomUUID(),
    arguments: { reservation_id: "NO6JO3" },
    userRequest: "Please.",
    repeat: true,
    ...WRITE,
    ...input,
  };
}
export const propose = async (app: App, input: object = {}) => {
  const { action, grant } = await done<Acted>(app, "agent", "proposeAction", proposal(input), `${ACTION} grant{token}`);
  if (action === null) throw new Error("nothing was proposed");
  return { ...action, token: grant?.token ?? "" };
};
export const act = (app: App, as: DemoName, mutation: string, input: object, select = ACTION) =>
  done<Acted>(app, as, mutation, input, select);
