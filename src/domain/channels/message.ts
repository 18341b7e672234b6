import { factOf } from "../../facts/decode.ts";
import type { LedgerEntry, LedgerId } from "../../facts/entry.ts";
import { uuidOf } from "../../facts/hash.ts";
import { valueAt } from "../../facts/payload.ts";
import { countApprovals } from "../../facts/quorum.ts";
import { provenEntry } from "../../ledger/proof.ts";
import { type Queryable, readEntryRows } from "../../ledger/read.ts";
import type { Loaded } from "../actions/loading/load.ts";
import type { ActionLoader } from "../actions/loading/loader.ts";
import { votersAmong } from "../actions/loading/store.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import type { PolicyDocument } from "../policy/document/schema.ts";
import type { Policies } from "../policy/policies.ts";
import type { ChannelKind, MessageDecision, NoticeMessage, Severity } from "./driver.ts";

/** The channel that a message is for. */
type Recipient = { readonly name: string; readonly kind: ChannelKind };

export interface MessagesOptions {
  readonly db: Queryable;
  readonly load: ActionLoader;
  readonly policies: Pick<Policies, "open" | "of">;
  /** The home region, which links do not name. */
  readonly home: string;
  /** Where people reach this server: scheme, host and port. */
  readonly publicUrl: () => string;
}

export interface Messages {
  /** What is to be said of an action now; undefined: there is no such action. Throws LedgerDamagedError, LedgerUnavailableError. */
  of(ledger: LedgerId, actionId: string, channel: Recipient): Promise<NoticeMessage | undefined>;
}

/** Hex digits of the digest that name an action to people. */
const REFERENCE = 8;

export function createMessages({ db, load, policies, home, publicUrl }: MessagesOptions): Messages {
  return {
    async of(ledger, actionId, channel) {
      const loaded = await load({ ledger, id: actionId });
      if (loaded === undefined) return undefined;
      const { state, proposal } = loaded.view;
      const { terms } = loaded.situation;
      const [organization = "", region = ""] = ledger.split("/");
      await policies.open(organization);
      const { document } = policies.of(organization);
      const data = document.catalog.tools.find(
        (one) => one.platform === terms.platform && one.name === terms.tool,
      )?.data;
      const rows = await withLedgerErrors(readEntryRows(db, ledger, state.entries));
      const entries = rows.map((row) => provenEntry(ledger, row));
      const counts = countApprovals(terms.requirements, votersAmong(proposal, entries));
      const rendered = valueAt(proposal, "rendered");
      const isShown = typeof rendered === "string" && mayHaveArguments(document, channel, data ?? []);
      return {
        noticeId: uuidOf(`${ledger} ${actionId} ${channel.name}`),
        organization,
        region,
        actionId,
        reference: terms.digest.slice("sha256:".length, "sha256:".length + REFERENCE),
        platform: terms.platform,
        tool: terms.tool,
        effect: terms.effect,
        severity: severityOf(loaded, data ?? []),
        status: state.status,
        version: state.version,
        digest: terms.digest,
        deadline: state.status === "PENDING" ? (state.expiresAt ?? undefined) : undefined,
        requirements: terms.requirements.map(({ group, needed }, at) => ({ group, needed, approved: counts[at] ?? 0 })),
        decisions: entries.flatMap(decisionsIn),
        content: isShown ? { rendered } : undefined,
        link: `${publicUrl()}/actions/${region === home ? "" : `${region}/`}${actionId}`,
      };
    },
  };
}

/** Whether the policy lets the channel have what a tool that handles `data` is called with. The first item about the channel says. */
export function mayHaveArguments(
  { channels = [] }: Pick<PolicyDocument, "channels">,
  { name, kind }: Recipient,
  data: readonly string[],
): boolean {
  const found = channels.find((one) => (one.name ?? name) === name && (one.kind ?? kind) === kind);
  return found?.arguments === true && !data.some((category) => found.except?.includes(category) === true);
}

function severityOf({ situation: { terms, brokenGlass } }: Loaded, data: readonly string[]): Severity {
  if (brokenGlass !== undefined) return "CRITICAL";
  if (terms.effect === "READ") return "LOW";
  const several = terms.requirements.reduce((sum, { needed }) => sum + needed, 0) > 1;
  return several || data.length > 0 ? "HIGH" : "MEDIUM";
}

function decisionsIn(entry: LedgerEntry): readonly MessageDecision[] {
  const fact = factOf(entry);
  const at = new Date(entry.recordedAt);
  if (fact.type === "ACTION_APPROVED" || fact.type === "ACTION_DENIED") {
    const { verdict, channel } = fact.decision;
    return [{ verdict, by: fact.actor.id, channel, at }];
  }
  if (fact.type === "ACTION_BROKEN_GLASS")
    return [{ verdict: "APPROVE", by: fact.actor.id, channel: fact.channel, at }];
  return [];
}
