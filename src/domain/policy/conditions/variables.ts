import type { CelInput } from "@bufbuild/cel";
import type { JsonObject, JsonValue } from "../../../facts/canonical.ts";
import type { Confidence, PrincipalKind } from "../../identity/principal.ts";
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
  /** Where values of the arguments came from; undefined: nothing is known of it. */
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
 * What a proposal may have drawn from. Of proposals, the earlier reads of their caller on other platforms, in every region, which are
 * POSSIBLE. What is observed is found out once a write was judged, so only cases of documents have OBSERVED.
 */
export interface Lineage {
  /** Of the links: OBSERVED, or POSSIBLE. */
  readonly kinds: readonly string[];
  /** The platforms that values were read on, and the regions where those keep their data. */
  readonly platforms: readonly string[];
  readonly regions: readonly string[];
  /** How many values of the arguments were found in what was read. */
  readonly evidence: number;
}

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
  ["lineage", ["kinds", "platforms", "regions", "evidence"]],
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
const NO_LINEAGE: Lineage = { kinds: [], platforms: [], regions: [], evidence: 0 };

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
      evidence: lineage.evidence,
    },
  };
}
