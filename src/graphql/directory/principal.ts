import type { ClientIdentity, Principal } from "../../domain/identity/principal.ts";
import type { JsonObject, JsonValue } from "../../facts/canonical.ts";
import { builder } from "../base/builder.ts";
import { viewerOf } from "../base/context.ts";
import { Confidence, PrincipalKind } from "../base/enums.ts";

/** A principal of a token, or as an entry recorded one; an erased profile leaves email and displayName away. */
export interface PrincipalShape {
  readonly id: string;
  readonly kind: Principal["kind"];
  readonly email?: string | undefined;
  readonly displayName?: string | undefined;
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

/** The principal recorded under `key` of an entry's facts; undefined when none is. */
export function recordedPrincipal(
  facts: JsonObject,
  key: string,
  onBehalfOf?: PrincipalShape,
): PrincipalShape | undefined {
  const recorded = asObject(facts[key]);
  const id = asText(recorded?.id);
  if (recorded === undefined || id === undefined) return undefined;
  const profile = asObject(recorded.profile);
  return {
    id,
    kind: recorded.kind as Principal["kind"],
    email: asText(profile?.email),
    displayName: asText(profile?.displayName),
    roles: (recorded.roles ?? []) as readonly string[],
    groups: (recorded.groups ?? []) as readonly string[],
    onBehalfOf,
  };
}

/** The actor of an entry, with the person they acted for. */
export function recordedActor(facts: JsonObject): PrincipalShape | undefined {
  return recordedPrincipal(facts, "actor", recordedPrincipal(facts, "onBehalfOf"));
}

/** The client when nothing is known of it. */
export const UNKNOWN_CLIENT: ClientShape = {
  name: "unknown",
  confidence: "UNKNOWN",
  modelConfidence: "UNKNOWN",
  evidence: {},
};

/** The client recorded in an entry; undefined when none was recorded. */
export function recordedClient(facts: JsonObject): ClientShape | undefined {
  const recorded = asObject(facts.client);
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

export const PrincipalRef = builder.objectRef<PrincipalShape>("Principal");
PrincipalRef.implement({
  description: "A caller as it was at the time: a person, an agent acting for a person, or a service.",
  fields: (t) => ({
    id: t.exposeID("id", { description: "Unique within the organization." }),
    kind: t.expose("kind", { type: PrincipalKind, description: "Whether it is a person, an agent or a service." }),
    email: t.exposeString("email", {
      nullable: true,
      description: "As in its token at the time; null when the token had none, and after an erasure.",
    }),
    displayName: t.exposeString("displayName", {
      nullable: true,
      description: "As in its token at the time; null when the token had none, and after an erasure.",
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
