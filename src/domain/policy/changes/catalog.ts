import type { PolicyDocument } from "../document/schema.ts";
import { type Change, otherMembers, own, restOf } from "./change.ts";
import { listOf, named, namesChanged } from "./wording.ts";

type Tool = PolicyDocument["catalog"]["tools"][number];

export function platformChanges(
  before: PolicyDocument["catalog"],
  after: PolicyDocument["catalog"],
): readonly Change[] {
  const names = new Set([...Object.keys(before.platforms), ...Object.keys(after.platforms)]);
  return [...names].toSorted().flatMap((name): readonly Change[] => {
    const what = `platform ${named(name)}`;
    const [old, now] = [own(before.platforms, name), own(after.platforms, name)];
    if (now === undefined) return [{ effect: undefined, text: `${what} removed` }];
    if (old === undefined) {
      return [{ effect: undefined, text: `${what} added: region ${named(now.region)}${restOf(now, ["region"])}` }];
    }
    const moved: readonly Change[] =
      old.region === now.region
        ? []
        : [{ effect: "may loosen", text: `${what}: region ${named(old.region)} → ${named(now.region)}` }];
    return [...moved, ...otherMembers(what, ["region"], old, now)];
  });
}

const TOOL_MEMBERS = ["platform", "name", "effect", "data", "required"];

/** Such as `tool refund of platform crm`; without a name, the platform. */
export function toolText({
  platform,
  name,
}: {
  readonly platform: string;
  readonly name?: string | undefined;
}): string {
  return `${name === undefined ? "" : `tool ${named(name)} of `}platform ${named(platform)}`;
}

export function toolChanges(before: Tool | undefined, after: Tool | undefined): readonly Change[] {
  if (after === undefined) {
    return before === undefined ? [] : [{ effect: undefined, text: `${toolText(before)} removed, so it is forbidden` }];
  }
  if (before === undefined) {
    const { effect, data, required } = after;
    const described = `${effect}, data ${listOf(data)}, required arguments ${listOf(required)}`;
    const text = `${toolText(after)} added, which was forbidden: ${described}${restOf(after, TOOL_MEMBERS)}`;
    return [{ effect: "loosens", text }];
  }
  const changes: Change[] = [];
  if (before.effect !== after.effect) {
    const effect = after.effect === "READ" ? "loosens" : "may loosen";
    changes.push({ effect, text: `${toolText(after)}: ${before.effect} → ${after.effect}` });
  }
  const data = namesChanged(before.data, after.data);
  if (data !== undefined)
    changes.push({ effect: "may loosen", text: `${toolText(after)}: categories of data: ${data}` });
  const required = namesChanged(before.required, after.required);
  if (required !== undefined) {
    const effect = before.required.every((name) => after.required.includes(name)) ? undefined : "loosens";
    changes.push({ effect, text: `${toolText(after)}: required arguments: ${required}` });
  }
  return [...changes, ...otherMembers(toolText(after), TOOL_MEMBERS, before, after)];
}
