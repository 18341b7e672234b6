import type { Fact } from "../../../facts/registry.ts";
import type { HashedEntry } from "./entries.ts";
import type { ActionHistory, Approval, Told } from "./histories.ts";
import { organizationOf, uriPart } from "./names.ts";

/**
 * PROV-JSON (W3C Member Submission of 24 April 2013): a document for each action that has ended. Names are the same in all documents of an
 * organization, so that documents can be put together.
 */

type Attributes = Readonly<Record<string, unknown>>;
type Principal = Fact<"ACTION_PROPOSED">["actor"];
type Lineage = NonNullable<Fact<"ACTION_PROPOSED">["lineage"]>;
type Edge = Lineage["observed"][number] | Lineage["possible"][number];

/** After these, it is known what became of an action, or that nobody reported it. */
const ENDED: readonly string[] = ["BLOCKED", "DENIED", "EXPIRED", "CANCELLED", "SUCCEEDED", "FAILED", "AMBIGUOUS"];

/** The document of the action that an entry ends; none where it does not end one. */
export function provDocument({ step, history }: Told): readonly object[] {
  if (!ENDED.includes(step.status)) return [];
  const { entry, status, fact } = step;
  const { proposal, proposed, approvals, started } = history;
  const statements = createStatements(entry);
  const { state, relate } = statements;
  const names = namesIn(history);

  stateAgents(statements, history);
  state("entity", names.proposal, {
    "prov:type": [type("cs:Proposal"), type("prov:Plan")],
    ...placeOf(proposal),
    "cs:digest": proposed.digest,
    "cs:platform": proposed.platform,
    "cs:tool": proposed.tool,
    "cs:effect": proposed.effect,
    "cs:region": proposed.region,
    "cs:chain": proposed.chain,
    "cs:sourceChain": proposed.sourceChain,
    "cs:policyHash": proposed.policy.hash,
    "cs:policyOutcome": proposed.policy.outcome,
    "cs:status": status,
    // From which entry on an export goes on behind this document.
    "cs:endSeq": String(entry.seq),
  });
  relate("wasAttributedTo", { "prov:entity": names.proposal, "prov:agent": nameOf(proposed.actor) });
  for (const approval of approvals) stateDecision(statements, names.proposal, "Approval", approval);
  if (status === "DENIED" && fact.type === "ACTION_DENIED") {
    const rightOf = fact.decision.delegatedBy?.id;
    const { channel, assurance } = fact.decision;
    stateDecision(statements, names.proposal, "Denial", { entry, actor: fact.actor, channel, assurance, rightOf });
  }

  const begun = started ?? (fact.type === "ACTION_CARRIED_OUT" ? entry : undefined);
  if (begun === undefined) return [statements.document];
  state("activity", names.activity, {
    "prov:startTime": begun.recordedAt,
    "prov:endTime": status === "AMBIGUOUS" ? undefined : entry.recordedAt,
    "prov:type": type(proposed.effect === "READ" ? "cs:Read" : "cs:Write"),
    ...placeOf(entry),
    "cs:status": status,
  });
  relate("wasAssociatedWith", {
    "prov:activity": names.activity,
    "prov:agent": nameOf(proposed.actor),
    "prov:plan": names.proposal,
  });
  if (status === "SUCCEEDED") stateData(statements, entry, history);
  return [statements.document];
}

/** A document while statements are added to it. */
function createStatements({ ledger }: HashedEntry) {
  const document: Record<string, Record<string, unknown>> = {
    prefix: { cs: "urn:countersign:prov:", org: `countersign://${organizationOf(ledger)}/` },
  };
  let relations = 0;
  function state(kind: string, name: string, attributes: Attributes): void {
    document[kind] ??= {};
    document[kind][name] = attributes;
  }
  return {
    document,
    state,
    /** Relations have no name outside of the document. */
    relate(kind: string, attributes: Attributes): void {
      relations += 1;
      state(kind, `_:r${relations}`, attributes);
    },
  };
}
type Statements = ReturnType<typeof createStatements>;

function namesIn({ proposed: { action } }: ActionHistory) {
  return { proposal: `org:proposal/${action}`, activity: `org:action/${action}`, written: `org:written/${action}` };
}

function nameOf({ id }: { readonly id: string }): string {
  return `org:principal/${uriPart(id)}`;
}

/** What was read, by the place in its region's ledger that edges name it by. */
function nameOfRead({ ledger, seq }: { readonly ledger: string; readonly seq: bigint | string }): string {
  return `org:read/${ledger.slice(ledger.indexOf("/") + 1)}/${seq}`;
}

function type(name: string) {
  return { $: name, type: "prov:QUALIFIED_NAME" };
}

function placeOf({ ledger, seq, hash }: Pick<HashedEntry, "ledger" | "seq" | "hash">): Attributes {
  return { "cs:ledger": ledger, "cs:seq": String(seq), "cs:hash": `sha256:${hash}` };
}

function stateAgent({ state }: Statements, principal: Pick<Principal, "id" | "kind">): void {
  const kind = principal.kind === "HUMAN" ? "prov:Person" : "prov:SoftwareAgent";
  state("agent", nameOf(principal), { "prov:type": type(kind), "cs:id": principal.id, "cs:kind": principal.kind });
}

function stateAgents(statements: Statements, history: ActionHistory): void {
  const { actor, onBehalfOf } = history.proposed;
  stateAgent(statements, actor);
  if (onBehalfOf === undefined) return;
  stateAgent(statements, onBehalfOf);
  statements.relate("actedOnBehalfOf", { "prov:delegate": nameOf(actor), "prov:responsible": nameOf(onBehalfOf) });
}

function stateDecision(
  statements: Statements,
  proposal: string,
  kind: "Approval" | "Denial",
  { entry, actor, channel, assurance, rightOf, brokenGlass }: Omit<Approval, "brokenGlass"> & { brokenGlass?: boolean },
): void {
  const region = entry.ledger.slice(entry.ledger.indexOf("/") + 1);
  const name = `org:decision/${region}/${entry.seq}`;
  const at = entry.recordedAt;
  stateAgent(statements, actor);
  statements.state("activity", name, {
    "prov:startTime": at,
    "prov:endTime": at,
    "prov:type": type(`cs:${kind}`),
    ...placeOf(entry),
    "cs:channel": channel,
    "cs:assurance": assurance,
    "cs:brokenGlass": brokenGlass === true ? true : undefined,
  });
  statements.relate("used", { "prov:activity": name, "prov:entity": proposal, "prov:time": at });
  statements.relate("wasAssociatedWith", { "prov:activity": name, "prov:agent": nameOf(actor) });
  if (rightOf === undefined) return;
  stateAgent(statements, { id: rightOf, kind: "HUMAN" });
  statements.relate("actedOnBehalfOf", {
    "prov:delegate": nameOf(actor),
    "prov:responsible": nameOf({ id: rightOf }),
    "prov:activity": name,
  });
}

/** What a successful action read, or wrote, and from what. */
function stateData(statements: Statements, entry: HashedEntry, history: ActionHistory): void {
  const { state, relate } = statements;
  const { proposal, proposed } = history;
  const { activity, written } = namesIn(history);
  const { platform, region } = proposed;
  const isRead = proposed.effect === "READ";
  const made = isRead ? nameOfRead(proposal) : written;
  state("entity", made, {
    "prov:type": type("cs:Data"),
    "cs:platform": platform,
    "cs:region": region,
    // What else may be a source of it, without an edge.
    "cs:unread": proposed.lineage?.unread,
    "cs:left": proposed.lineage?.left,
    "cs:earlier": proposed.lineage?.earlier,
    "cs:uncompared": proposed.lineage?.uncompared,
  });
  relate("wasGeneratedBy", { "prov:entity": made, "prov:activity": activity, "prov:time": entry.recordedAt });
  relate("wasAttributedTo", { "prov:entity": made, "prov:agent": nameOf(proposed.actor) });
  if (isRead) {
    const kept = `org:platform/${uriPart(platform)}/${uriPart(region)}`;
    state("entity", kept, { "prov:type": type("cs:Platform"), "cs:platform": platform, "cs:region": region });
    relate("used", { "prov:activity": activity, "prov:entity": kept });
    // An edge can name a read by either entry.
    const other = nameOfRead(entry);
    state("entity", other, { "prov:type": type("cs:Data"), "cs:platform": platform, "cs:region": region });
    relate("alternateOf", { "prov:alternate1": made, "prov:alternate2": other });
    return;
  }
  for (const edge of proposed.lineage?.observed ?? []) {
    const source = stateSource(statements, edge);
    relate("wasDerivedFrom", {
      "prov:generatedEntity": written,
      "prov:usedEntity": source,
      "prov:activity": activity,
      "cs:certainty": "OBSERVED",
      "cs:values": edge.values,
      "cs:whole": edge.whole,
      "cs:exact": edge.exact,
      "cs:said": edge.said,
      "cs:strength": edge.strength,
    });
  }
  for (const edge of proposed.lineage?.possible ?? []) {
    const source = stateSource(statements, edge);
    relate("wasInfluencedBy", {
      "prov:influencee": written,
      "prov:influencer": source,
      "prov:type": type("cs:PossibleSource"),
      "cs:certainty": "POSSIBLE",
      "cs:reads": edge.reads,
      "cs:unknown": edge.unknown,
    });
  }
}

function stateSource({ state }: Statements, { ledger, seq, hash, platform, region, chain }: Edge): string {
  const name = nameOfRead({ ledger, seq });
  state("entity", name, {
    "prov:type": type("cs:Data"),
    "cs:platform": platform,
    "cs:region": region,
    "cs:chain": chain,
    "cs:ledger": ledger,
    "cs:seq": seq,
    "cs:hash": `sha256:${hash}`,
  });
  return name;
}
