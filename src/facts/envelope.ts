import type { z } from "zod";
import type { JsonValue } from "./canonical.ts";
import type { AnyFact } from "./definition.ts";
import { code, erasable, hex32, list, object, signature, text, uuid } from "./schema.ts";

/** The members that entries of every type can have: who acted, for whom, with what, in which session. */

export const PRINCIPAL_KINDS = ["HUMAN", "AGENT", "SERVICE"] as const;
/** How sure it is which client or model called, the best first. */
export const CONFIDENCES = ["SIGNED", "REGISTERED", "NETWORK", "HEADER", "UNKNOWN"] as const;

/** Personal values of a principal. */
export interface Profile {
  readonly displayName?: string | undefined;
  readonly email?: string | undefined;
  readonly emailVerified?: boolean | undefined;
}

export const profile = erasable<Profile>(
  "`displayName`, `email`, and `emailVerified` where it is `true`, as far as they are known",
).optional();

const principal = (description: string) =>
  object(
    {
      id: text("its id within the organization"),
      kind: code(PRINCIPAL_KINDS, "what it is"),
      roles: list(text("a role"), "the roles it had then"),
      groups: list(text("a group"), "the groups it was in then"),
      profile,
    },
    description,
  );

const client = object(
  {
    name: text("the program that called; `unknown` if that is not known"),
    version: text("its version").optional(),
    surface: text("which of its surfaces: `cli`, `desktop`, `vscode`, `web`, …").optional(),
    confidence: code(CONFIDENCES, "how sure that is, the best first"),
    model: text("the model that asked for the call").optional(),
    modelConfidence: code(CONFIDENCES, "how sure that is"),
    rules: text("hash of the rules that say so").optional(),
    evidence: erasable<{ readonly [header: string]: string }>("the header values it depends on"),
  },
  "the client program",
);

export const envelope = {
  id: uuid("of the draft this entry was made of, version 7: a retry is recognised by it"),
  actor: principal("who did it, as they were then"),
  onBehalfOf: principal("the person an agent acts for").optional(),
  client: client.optional(),
  traceId: hex32("W3C trace id").optional(),
  session: uuid("the session it was done in, or that it starts or ends").optional(),
};

const signed = signature("of the server that made the entry, over all other members (section 6)");

/** The member `signature` of entries of a type that can permit something. */
export function signatureMember({ permits }: AnyFact): z.ZodRawShape {
  return permits ? { signature: signed } : {};
}

export type StoredEnvelope = z.infer<z.ZodObject<typeof envelope>>;

/** The server itself, where nobody else acts. */
export const SYSTEM_ACTOR = { groups: [], id: "countersign", kind: "SERVICE", roles: [] } as const;

/** What an erasable value may be where any JSON may. */
export type AnyJson = JsonValue;
