import type { CelInput } from "@bufbuild/cel";
import type { JsonObject, JsonValue } from "../../../facts/canonical.ts";
import type { Confidence, PrincipalKind } from "../../identity/principal.ts";
import type { KnownSources } from "../lineage.ts";
import type { Decimal } from "../windows/decimal.ts";
import type { Measured } from "../windows/measures.ts";

/** What a policy is evaluated for: a proposal, and what the server knows about it. */
export interface Situation {
  readonly principal: {
    readonly id: string;
    readonly kind: PrincipalKind;
    readonly roles: readonly string[];
    readonly groups: readonly string[];
  };
  /** The person an agent acts for; for a person, that person. Undefined: nobody is known. */
  readonly person:
    | { readonly id: string; readonly roles: readonly string[]; readonly groups: readonly string[] }
    | undefined;
  readonly client: {
    readonly name: string;
    readonly confidence: Confidence;
    readonly model: string | undefined;
    readonly modelConfidence: Confidence;
  };
  readonly platform: string;
  readonly tool: string;
  readonly arguments: JsonValue;
  /** What is known of where its data is from, of which each policy makes `lineage` by its own catalog. */
  readonly sources?: KnownSources | undefined;
  /** Where values of the arguments came from, where that is said as it is; undefined: nothing is known of it. */
  readonly lineage?: Lineage | undefined;
  /** The region data would go to, as the caller said. */
  readonly targetRegion: string | undefined;
  /** By the database's clock. */
  readonly now: Date;
  /** What windows had before the proposal, by their texts. A rule that reads another one cannot be evaluated. */
  readonly windows?: ReadonlyMap<string, Decimal> | undefined;
  /** Why it is not known what a window had, by its text; undefined: nobody says why. */
  readonly unknownWindows?: ReadonlyMap<string, string> | undefined;
  /** What measures are, where the arguments do not say it any more. */
  readonly measured?: Measured | undefined;
  /** Of what the server itself will carry out: proposed by a mutation of its own, never by proposeAction. */
  readonly own?: OwnSituation | undefined;
}

/**
 * Where the data of a proposal came from, or may come from: earlier reads of its caller, as the server compared and ordered them. Of a READ, only what
 * was read before it on other platforms.
 */
export interface Lineage {
  /** Of the links to other platforms: OBSERVED, or POSSIBLE. */
  readonly kinds: readonly string[];
  /** The other platforms that were read, and the regions where those keep their data. */
  readonly platforms: readonly string[];
  readonly regions: readonly string[];
  /** Of these, those that values of the arguments were found on. */
  readonly observedPlatforms: readonly string[];
  readonly observedRegions: readonly string[];
  /** How many values of the arguments were found in what was read, on any platform. */
  readonly evidence: number;
  /** Platforms that the catalog marks as untrusted, and that are the only known source of some value, or may be of one that has none. */
  readonly untrusted: readonly string[];
  /** Such platforms that have some value, also where the request of the person or another platform has it. */
  readonly fromUntrusted: readonly string[];
  /** Of the values of the arguments that can be told from others, the share of each kind of source, from 0 to 1. */
  readonly shares: Readonly<Record<ShareKind, number>>;
  /** RFC 6901 pointers to arguments without a known source, at most 999; there are more where the last is empty. */
  readonly unsourced: readonly string[];
}

/** What the person asked for, platforms that are trusted, only such as are not, nothing that is known. */
export type ShareKind = "user" | "trusted" | "untrusted" | "none";

export const NO_LINEAGE: Lineage = {
  kinds: [],
  platforms: [],
  regions: [],
  observedPlatforms: [],
  observedRegions: [],
  evidence: 0,
  untrusted: [],
  fromUntrusted: [],
  shares: { user: 0, trusted: 0, untrusted: 0, none: 0 },
  unsourced: [],
};

/** What governs the installation itself. */
export interface OwnSituation {
  readonly region: string;
  /** RFC 3339: nobody else could approve it, so whoever asked for it may from then on. */
  readonly requesterAfter?: string | undefined;
}

/** What the catalog says of the tool. `effect` is UNKNOWN for a tool that is not listed. */
export interface ToolFacts {
  readonly effect: "READ" | "WRITE" | "UNKNOWN";
  readonly data: readonly string[];
  readonly region: string;
}

/** The members of each variable; undefined: any. */
export const VARIABLES: ReadonlyMap<string, readonly string[] | undefined> = new Map([
  ["principal", ["id", "kind", "roles", "groups"]],
  ["person", ["id", "roles", "groups"]],
  ["client", ["name", "confidence", "model", "modelConfidence"]],
  ["tool", ["platform", "name", "effect", "data"]],
  ["region", []],
  ["targetRegion", []],
  ["args", undefined],
  ["lineage", Object.keys(NO_LINEAGE)],
  ["now", []],
]);

/**
 * `value` with its objects as maps. Of a plain object CEL takes one with a member `$typeName` for a protobuf message, and reads other members of it than
 * the tool will.
 */
export function plain(value: JsonValue): CelInput {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(plain);
  return new Map(Object.entries(value as JsonObject).map(([name, member]) => [name, plain(member as JsonValue)]));
}

const NOBODY = { id: "", roles: [], groups: [] };

/** The values of the variables but `now`, as JSON. What is not known is an empty text or list, so that every condition can be evaluated. */
export function variablesOf(situation: Situation, tool: ToolFacts) {
  const { principal, person = NOBODY, client, lineage = NO_LINEAGE } = situation;
  return {
    principal: { ...principal, roles: [...principal.roles], groups: [...principal.groups] },
    person: { id: person.id, roles: [...person.roles], groups: [...person.groups] },
    client: { ...client, model: client.model ?? "" },
    tool: { platform: situation.platform, name: situation.tool, effect: tool.effect, data: [...tool.data] },
    region: tool.region,
    targetRegion: situation.targetRegion ?? "",
    args: situation.arguments,
    lineage: {
      kinds: [...lineage.kinds],
      platforms: [...lineage.platforms],
      regions: [...lineage.regions],
      observedPlatforms: [...lineage.observedPlatforms],
      observedRegions: [...lineage.observedRegions],
      evidence: lineage.evidence,
      untrusted: [...lineage.untrusted],
      fromUntrusted: [...lineage.fromUntrusted],
      shares: { ...lineage.shares },
      unsourced: [...lineage.unsourced],
    },
  };
}
