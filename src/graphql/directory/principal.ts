import type { ClientIdentity, Principal } from "../../domain/identity/principal.ts";
import type { JsonObject, JsonValue } from "../../facts/canonical.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import { unsealMember, Withheld, type WithheldBecause } from "../../facts/payload.ts";
import { builder } from "../base/builder.ts";
import { viewerOf } from "../base/context.ts";
import { Confidence, PrincipalKind } from "../base/enums.ts";
import { revealed, WithheldError } from "../base/rows.ts";

/** A principal of a token, or as an entry recorded one. */
export interface PrincipalShape {
  readonly id: string;
  readonly kind: Principal["kind"];
  readonly email?: string | undefined;
  readonly displayName?: string | undefined;
  /** Why its email and displayName cannot be shown. */
  readonly withheld?: WithheldBecause | undefined;
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  readonly onBehalfOf?: PrincipalShape | undefined;
}

export interface ClientShape extends Omit<ClientIdentity, "evidence"> {
  readonly evidence: JsonValue;
}

function asObject(value: JsonValue | undefined): JsonObject | undefined {
  return value === null || typeof value !== "object" || Array.isArray(value) ? undefined : (value as JsonObject);
}

function asText(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** The principal recorded in a member of an entry; undefined when none is. */
export function recordedPrincipal(
  entry: LedgerEntry,
  member: string,
  onBehalfOf?: PrincipalShape,
): PrincipalShape | undefined {
  const recorded = asObject(entry.body[member]);
  const id = asText(recorded?.id);
  if (recorded === undefined || id === undefined) return undefined;
  const found = revealed(entry, `${member}.profile`);
  const withheld = found instanceof Withheld ? found.problem : undefined;
  const profile = found instanceof Withheld ? undefined : asObject(found);
  return {
    id,
    kind: recorded.kind as Principal["kind"],
    email: asText(profile?.email),
    displayName: asText(profile?.displayName),
    withheld,
    roles: (recorded.roles ?? []) as readonly string[],
    groups: (recorded.groups ?? []) as readonly string[],
    onBehalfOf,
  };
}

/** The actor of an entry, with the person they acted for. */
export function recordedActor(entry: LedgerEntry): PrincipalShape | undefined {
  return recordedPrincipal(entry, "actor", recordedPrincipal(entry, "onBehalfOf"));
}

/** The client when nothing is known of it. */
export const UNKNOWN_CLIENT: ClientShape = {
  name: "unknown",
  confidence: "UNKNOWN",
  modelConfidence: "UNKNOWN",
  evidence: {},
};

/** The client recorded in an entry; undefined when none was recorded. */
export function recordedClient(entry: LedgerEntry): ClientShape | undefined {
  const recorded = asObject(unsealMember(entry, "client"));
  if (recorded === undefined) return undefined;
  const version = asText(recorded.version);
  const surface = asText(recorded.surface);
  const model = asText(recorded.model);
  const rules = asText(recorded.rules);
  return {
    name: asText(recorded.name) ?? "unknown",
    ...(version === undefined ? {} : { version }),
    ...(surface === undefined ? {} : { surface }),
    confidence: (recorded.confidence ?? "UNKNOWN") as ClientShape["confidence"],
    ...(model === undefined ? {} : { model }),
    modelConfidence: (recorded.modelConfidence ?? "UNKNOWN") as ClientShape["modelConfidence"],
    evidence: recorded.evidence ?? {},
    ...(rules === undefined ? {} : { rules }),
  };
}

/** A value of a profile. Throws WithheldError when the profile is not the one that was recorded. */
function personal({ withheld }: PrincipalShape, value: string | undefined): string | undefined {
  if (withheld !== undefined) throw new WithheldError(withheld);
  return value;
}

export const PrincipalRef = builder.objectRef<PrincipalShape>("Principal");
PrincipalRef.implement({
  description: "A caller as it was at the time: a person, an agent acting for a person, or a service.",
  fields: (t) => ({
    id: t.exposeID("id", { description: "Unique within the organization." }),
    kind: t.expose("kind", { type: PrincipalKind, description: "Whether it is a person, an agent or a service." }),
    email: t.string({
      nullable: true,
      description: "As in its token at the time; null when the token had none.",
      resolve: (principal) => personal(principal, principal.email),
    }),
    displayName: t.string({
      nullable: true,
      description: "As in its token at the time; null when the token had none.",
      resolve: (principal) => personal(principal, principal.displayName),
    }),
    roles: t.stringList({ description: "Its roles at the time.", resolve: ({ roles }) => [...roles] }),
    groups: t.stringList({ description: "Its groups at the time.", resolve: ({ groups }) => [...groups] }),
    onBehalfOf: t.field({
      type: PrincipalRef,
      nullable: true,
      description: "The person an agent acts for; null when it acts for nobody.",
      resolve: ({ onBehalfOf }) => onBehalfOf,
    }),
  }),
});

export const ClientRef = builder.objectRef<ClientShape>("ClientIdentity").implement({
  description: "The client software and the model of a call, as the server determined them from the request.",
  fields: (t) => ({
    name: t.exposeString("name", { description: "The product name of the client; `unknown` when unknown." }),
    version: t.exposeString("version", {
      nullable: true,
      description: "The version of the client; null when unknown.",
    }),
    surface: t.exposeString("surface", {
      nullable: true,
      description: "The variant of the client, such as cli, desktop, vscode or web; null when unknown.",
    }),
    confidence: t.expose("confidence", { type: Confidence, description: "What `name` is based on." }),
    model: t.exposeString("model", {
      nullable: true,
      description: "The model that the client used; null when unknown.",
    }),
    modelConfidence: t.expose("modelConfidence", {
      type: Confidence,
      description: "What `model` is based on.",
    }),
    evidence: t.field({
      type: "JSON",
      description: "The headers and other signals that `name`, `model` and their confidence were derived from.",
      resolve: ({ evidence }) => evidence,
    }),
    rules: t.field({
      type: "Hash",
      nullable: true,
      description: "The hash of the rule table that the client was determined by; null when none was used.",
      resolve: ({ rules }) => rules,
    }),
  }),
});

builder.queryField("viewer", (t) =>
  t.field({
    type: PrincipalRef,
    description: "The caller, as identified by the token or browser session.",
    authScopes: { signedIn: true },
    resolve: (_root, _args, context): PrincipalShape => viewerOf(context),
  }),
);
