import type { LedgerEntry } from "../../facts/entry.ts";
import type { ActionChange, ActionRow, DecisionRow, EdgeRow, PlatformRow, PrincipalRow, ToolRow } from "./rows.ts";
import { cut, keyOf } from "./rows.ts";

/** A principal, as entries name it. */
export interface Principal {
  readonly id: string;
  readonly kind: string;
}

/** A platform, with where it keeps its data. */
export interface Platform {
  readonly platform: string;
  readonly region: string;
}

type Undated<Row> = Omit<Row, "first_seen_utc" | "last_seen_utc">;

/** The rows that consecutive entries of one ledger add and change, each once. */
export class Collected {
  readonly principals = new Map<string, PrincipalRow>();
  readonly platforms = new Map<string, PlatformRow>();
  readonly tools = new Map<string, ToolRow>();
  readonly actions = new Map<string, ActionRow>();
  /** Of actions that were proposed before. */
  readonly changes = new Map<string, ActionChange>();
  readonly decisions: DecisionRow[] = [];
  readonly edges: EdgeRow[] = [];

  /** Notes a principal that `entry` names. Returns its key. */
  principal(
    entry: LedgerEntry,
    { id, kind }: Principal,
    more: Pick<PrincipalRow, "owner_key" | "is_suspended"> = {},
  ): string {
    const key = keyOf(entry, "principal", id);
    note(this.principals, key, entry, { principal_key: key, principal_id: cut(id), kind, ...more });
    return key;
  }

  platform(entry: LedgerEntry, { platform, region }: Platform): string {
    const key = keyOf(entry, "platform", platform);
    note(this.platforms, key, entry, { platform_key: key, platform: cut(platform), platform_region: cut(region) });
    return key;
  }

  tool(entry: LedgerEntry, step: Platform & { readonly tool: string; readonly effect: string }): string {
    const key = keyOf(entry, "tool", step.platform, step.tool);
    const of = { platform_key: this.platform(entry, step), platform: cut(step.platform), tool: cut(step.tool) };
    note(this.tools, key, entry, { tool_key: key, ...of, effect: step.effect });
    return key;
  }

  /** What an entry changes of an action; members that are undefined stay as they were. */
  change(change: ActionChange): void {
    const { action_id: id } = change;
    const proposed = this.actions.get(id);
    if (proposed !== undefined) this.actions.set(id, over(proposed, change));
    else this.changes.set(id, over(this.changes.get(id) ?? change, change));
  }
}

function over<Row extends ActionChange>(row: Row, change: ActionChange): Row {
  const set = Object.entries(change).filter(([, value]) => value !== undefined);
  const first = row.first_decided_utc ?? change.first_decided_utc;
  return { ...row, ...Object.fromEntries(set), first_decided_utc: first };
}

function note<Row extends { readonly first_seen_utc: string }>(
  rows: Map<string, Row>,
  key: string,
  { recordedAt }: LedgerEntry,
  row: Undated<Row>,
): void {
  const known = rows.get(key);
  const set = Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined));
  const seen = { first_seen_utc: known?.first_seen_utc ?? recordedAt, last_seen_utc: recordedAt };
  rows.set(key, { ...known, ...set, ...seen } as unknown as Row);
}
