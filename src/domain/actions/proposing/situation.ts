import type { JsonValue } from "../../../facts/canonical.ts";
import { factOfType } from "../../../facts/decode.ts";
import type { LedgerEntry } from "../../../facts/entry.ts";
import { parseJson } from "../../../facts/parse-json.ts";
import { valueAt, Withheld } from "../../../facts/payload.ts";
import type { ClientIdentity, Principal } from "../../identity/principal.ts";
import { actorOf } from "../../identity/recorded.ts";
import { unsourcedIn } from "../../lineage/sources/told.ts";
import type { Situation } from "../../policy/conditions/variables.ts";
import type { KnownSources } from "../../policy/lineage.ts";
import type { Proposed } from "./proposal-entry.ts";

type Client = Pick<ClientIdentity, "name" | "confidence" | "modelConfidence"> & { readonly model?: string | undefined };

function situationOf(
  principal: Principal,
  client: Client,
  rest: Omit<Situation, "principal" | "person" | "client">,
): Situation {
  const { id, kind, roles, groups, onBehalfOf } = principal;
  const person = onBehalfOf ?? (kind === "HUMAN" ? principal : undefined);
  const { name, confidence, model, modelConfidence } = client;
  return {
    principal: { id, kind, roles, groups },
    person,
    client: { name, confidence, model, modelConfidence },
    ...rest,
  };
}

/** What a proposal that is made at `now` is evaluated for. */
export function proposedSituation({ caller, proposal, own }: Proposed, now: Date): Situation {
  const { platform, tool, targetRegion } = proposal;
  const given = parseJson(proposal.arguments.text);
  const rest = { platform, tool, arguments: given, targetRegion, now, own };
  return situationOf(caller.principal, caller.client, rest);
}

/** A step that nobody proposes. */
export interface Step {
  readonly platform: string;
  readonly tool: string;
  readonly arguments: JsonValue;
  readonly targetRegion?: string | undefined;
}

/** What `step` is evaluated for as one of `principal` at `now`. `client`: what it would call from; undefined: nothing is known. */
export function supposedSituation(
  principal: Principal,
  client: ClientIdentity | undefined,
  { platform, tool, arguments: given, targetRegion }: Step,
  now: Date,
): Situation {
  return situationOf(principal, client ?? NO_CLIENT, { platform, tool, arguments: given, targetRegion, now });
}

const NO_CLIENT: Client = { name: "", confidence: "UNKNOWN", modelConfidence: "UNKNOWN" };

const GONE = "its arguments are gone, and no value of it was recorded";

/**
 * What an action that was proposed before is evaluated for at `now`. `isWhole`: its arguments are there; otherwise they are empty, and its
 * measures are those that were recorded. Windows that were read then are what they came to then.
 */
export function recordedSituation(
  proposal: LedgerEntry,
  now: Date,
): Situation & { readonly isWhole: boolean; readonly sources: KnownSources } {
  const given = valueAt(proposal, "arguments");
  const evidence = valueAt(proposal, "evidence");
  const isWhole = given !== undefined && !(given instanceof Withheld) && !(evidence instanceof Withheld);
  const fact = factOfType(proposal, "ACTION_PROPOSED");
  const {
    platform,
    tool,
    region,
    targetRegion,
    publishes,
    client = NO_CLIENT,
    measures = {},
    windows = {},
    reads,
    lineage: recorded,
  } = fact;
  const measured = isWhole ? undefined : { values: measures, problems: new Map<string, string>(), missing: GONE };
  const own = publishes && { region };
  const rest = {
    platform,
    tool,
    arguments: isWhole ? given : {},
    targetRegion,
    now,
    measured,
    windows: new Map(Object.entries(windows)),
    own,
  };
  const unsourced = evidence instanceof Withheld ? undefined : unsourcedIn(evidence);
  const sources = { reads, recorded, unsourced };
  return { ...situationOf(actorOf(proposal), client, rest), isWhole, sources };
}
