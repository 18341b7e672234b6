import type { PolicyDocument } from "../document/schema.ts";
import { type Change, otherMembers, own, restOf } from "./change.ts";
import { listOf, named } from "./wording.ts";

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
const onlyIn = (some: readonly string[], others: readonly string[]) => some.filter((name) => !others.includes(name));

/** `before` and `after` as sets of names. */
export function namesChanged(before: readonly string[], after: readonly string[]): string | undefined {
  const [gone, added] = [onlyIn(before, after), onlyIn(after, before)];
  if (gone.length + added.length === 0) return undefined;
  const words = [added.length > 0 && `${listOf(added)} added`, gone.length > 0 && `${listOf(gone)} removed`];
  return words.filter((word) => word !== false).join(", ");
}

export function toolChanges(before: Tool | undefined, after: Tool | undefined): readonly Change[] {
  const what = ({ platform, name }: Tool) => `tool ${named(name)} of platform ${named(platform)}`;
  if (after === undefined) {
    return before === undefined ? [] : [{ effect: undefined, text: `${what(before)} removed, so it is forbidden` }];
  }
  if (before === undefined) {
    const { effect, data, required } = after;
    const described = `${effect}, data ${listOf(data)}, required arguments ${listOf(required)}`;
    const text = `${what(after)} added, which was forbidden: ${described}${restOf(after, TOOL_MEMBERS)}`;
    return [{ effect: "loosens", text }];
  }
  const changes: Change[] = [];
  if (before.effect !== after.effect) {
    const effect = after.effect === "READ" ? "loosens" : "may loosen";
    changes.push({ effect, text: `${what(after)}: ${before.effect} → ${after.effect}` });
  }
  const data = namesChanged(before.data, after.data);
  if (data !== undefined) changes.push({ effect: "may loosen", text: `${what(after)}: categories of data: ${data}` });
  const required = namesChanged(before.required, after.required);
  if (required !== undefined) {
    const effect = onlyIn(before.required, after.required).length > 0 ? "loosens" : undefined;
    changes.push({ effect, text: `${what(after)}: required arguments: ${required}` });
  }
  return [...changes, ...otherMembers(what(after), TOOL_MEMBERS, before, after)];
}
