import packageFile from "../../../../package.json" with { type: "json" };
import type { ActionStatus } from "../../../facts/areas/actions.ts";
import type { LedgerId } from "../../../facts/entry.ts";
import type { Fact } from "../../../facts/registry.ts";
import type { Step } from "./entries.ts";
import type { ActionHistory, Told } from "./histories.ts";
import { namespaceOf } from "./names.ts";

/**
 * Run events of OpenLineage 2-0-2: an action is a run, its tool is the job. What is known of the data that moved is in the facet `lineage`
 * of the job (LineageFacet 1-0-0); who allowed it, and where its data may come from, in facets of our own.
 */

const SPEC = "https://openlineage.io/spec";
const PRODUCER = `urn:countersign:server:${packageFile.version}`;
/** `$id` of schema/openlineage-facets.schema.json. */
const OWN_FACETS = "urn:countersign:openlineage-facets:1-0-0";

type EventType = "START" | "RUNNING" | "COMPLETE" | "ABORT" | "FAIL" | "OTHER";
type Lineage = NonNullable<Fact<"ACTION_PROPOSED">["lineage"]>;

/** What ends a run. An outcome that nobody reported is no end: it may be reported later. */
const ENDS: Readonly<Partial<Record<ActionStatus, EventType>>> = {
  BLOCKED: "ABORT",
  DENIED: "ABORT",
  EXPIRED: "ABORT",
  CANCELLED: "ABORT",
  SUCCEEDED: "COMPLETE",
  FAILED: "FAIL",
  AMBIGUOUS: "OTHER",
};

/** The run events that an entry adds, in their order. */
export function openLineageEvents({ step, history }: Told): readonly object[] {
  return eventTypesOf(step).map((type) => runEvent(type, step, history));
}

function eventTypesOf({ fact: { type }, status }: Step): readonly EventType[] {
  const end = ENDS[status];
  const starts: readonly EventType[] =
    type === "ACTION_PROPOSED" ? ["START"] : type === "GRANT_REDEEMED" ? ["RUNNING"] : [];
  return end === undefined ? starts : [...starts, end];
}

function runEvent(eventType: EventType, step: Step, history: ActionHistory) {
  const { entry, actionId } = step;
  const { platform, tool, effect, lineage } = history.proposed;
  const moved = eventType === "COMPLETE" ? movedData(entry.ledger, history) : NOTHING_MOVED;
  const tellsSources = lineage !== undefined && (eventType === "START" || eventType === "COMPLETE");
  return {
    eventType,
    eventTime: entry.recordedAt,
    run: {
      runId: actionId,
      facets: {
        countersign_entry: entryFacet(step),
        countersign_authorization: authorizationFacet(history),
        ...(tellsSources ? { countersign_sources: sourcesFacet(lineage) } : {}),
      },
    },
    job: {
      namespace: namespaceOf(entry.ledger, platform),
      name: tool,
      facets: {
        jobType: {
          ...base(`${SPEC}/facets/2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet`),
          processingType: "BATCH",
          integration: "COUNTERSIGN",
          jobType: effect,
        },
        ...moved.facets,
      },
    },
    inputs: moved.inputs,
    outputs: moved.outputs,
    producer: PRODUCER,
    schemaURL: `${SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent`,
  };
}

interface Dataset {
  readonly namespace: string;
  readonly name: string;
}

/** What a platform keeps in its region. Nothing finer is known without what was in arguments and results. */
function datasetOf(ledger: LedgerId, { platform, region }: { platform: string; region: string }): Dataset {
  return { namespace: namespaceOf(ledger, platform), name: region };
}

const NOTHING_MOVED = { inputs: [] as readonly Dataset[], outputs: [] as readonly Dataset[], facets: {} };

/** The data that moved by an action that succeeded. What may only be a source is no input. */
function movedData(ledger: LedgerId, { proposed }: ActionHistory) {
  const own = datasetOf(ledger, proposed);
  if (proposed.effect === "READ") return { ...NOTHING_MOVED, inputs: [own] };
  const observed = proposed.lineage?.observed ?? [];
  const sources = new Map(
    observed.map((edge) => [`${edge.platform} ${edge.region}`, datasetOf(ledger, edge)] as const),
  );
  const inputs = [...sources.values()];
  if (inputs.length === 0) return { ...NOTHING_MOVED, outputs: [own] };
  const lineage = {
    ...base(`${SPEC}/facets/1-0-0/LineageFacet.json#/$defs/LineageJobFacet`),
    entries: [
      {
        ...own,
        type: "DATASET",
        inputs: inputs.map((input) => ({ ...input, type: "DATASET", transformations: [{ type: "DIRECT" }] })),
      },
    ],
  };
  return { inputs, outputs: [own], facets: { lineage } };
}

function base(schemaURL: string) {
  return { _producer: PRODUCER, _schemaURL: schemaURL };
}

/** Which entry an event is made of: the same one when it comes again. */
function entryFacet({ entry, fact, status }: Step) {
  return {
    ...base(`${OWN_FACETS}#/$defs/CountersignEntryRunFacet`),
    ledger: entry.ledger,
    seq: String(entry.seq),
    hash: `sha256:${entry.hash}`,
    type: fact.type,
    status,
  };
}

/** Who wanted the action, and who and what allowed it so far. */
function authorizationFacet({ proposed, approvals }: ActionHistory) {
  const { actor, onBehalfOf, digest, policy, chain, sourceChain } = proposed;
  return {
    ...base(`${OWN_FACETS}#/$defs/CountersignAuthorizationRunFacet`),
    digest,
    agent: { id: actor.id, kind: actor.kind },
    onBehalfOf: onBehalfOf && { id: onBehalfOf.id, kind: onBehalfOf.kind },
    policy: { hash: policy.hash, version: policy.version, outcome: policy.outcome },
    approvers: approvals.map((approval) => ({
      id: approval.actor.id,
      kind: approval.actor.kind,
      at: approval.entry.recordedAt,
      seq: String(approval.entry.seq),
      channel: approval.channel,
      assurance: approval.assurance,
      rightOf: approval.rightOf,
      brokenGlass: approval.brokenGlass || undefined,
    })),
    chain,
    sourceChain,
  };
}

/** The edges of a write as its entry has them, those that are only possible apart from those that were observed. */
function sourcesFacet({ observed, possible, origins, unread, left, earlier, uncompared }: Lineage) {
  return {
    ...base(`${OWN_FACETS}#/$defs/CountersignSourcesRunFacet`),
    observed: observed.map((edge) => ({
      ...placeOf(edge),
      values: edge.values,
      whole: edge.whole,
      exact: edge.exact,
      said: edge.said,
      strength: edge.strength,
    })),
    possible: possible.map((edge) => ({ ...placeOf(edge), reads: edge.reads, unknown: edge.unknown })),
    origins: origins.map(({ platforms, said, mixed, values }) => ({ platforms, said, mixed, values })),
    unread,
    left,
    earlier,
    uncompared,
  };
}

function placeOf({
  chain,
  platform,
  region,
  ledger,
  seq,
  hash,
}: Lineage["possible"][number] | Lineage["observed"][number]) {
  return { chain, platform, region, ledger, seq, hash: `sha256:${hash}` };
}
