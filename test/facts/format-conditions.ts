import { areKnownAlone } from "../../src/facts/check/agreement.ts";
import type { Author, Conditions, SideConditions, StateConditions } from "../../src/facts/conditions.ts";

/** Conditions as sentences of the specification, apart by the verdict that an entry gets which breaks one. */
interface Sentences {
  /** RULE_BROKEN: that the entry keeps them is known by it alone. */
  readonly alone: readonly string[];
  /** ILLEGAL_STEP: that it keeps them is known by the entries before it. */
  readonly after: readonly string[];
}

const code = (text: unknown) => `\`${String(text)}\``;
const pairs = (members: Readonly<Record<string, unknown>> | undefined) => Object.entries(members ?? {});
const list = (items: readonly string[]) => items.map(code).join(", ");
const areThose = (names: readonly string[]) => (names.length === 1 ? "is that" : "are those");

function author(one: Author | { readonly author: Author; readonly from: string }): string {
  return typeof one === "string" ? one : `, where the status before is ${code(one.from)}, ${one.author}`;
}

const byLines = ({ by }: Pick<Conditions, "by">) =>
  by === undefined ? [] : [`by ${by.map(author).join(" or ").replace(" or , ", " or, ")}`];
const recordLines = (records: Conditions["records"]) =>
  pairs(records).map(([path, to]) => `${code(to)} of the new state is ${code(path)} of the entry`);

/** What an entry has of the state before, and of the entry that made the thing. */
function sideLines({ names, repeats, since }: SideConditions): readonly string[] {
  const same = pairs(repeats).filter(([here, there]) => here === there);
  const renamed = pairs(repeats).filter(([here, there]) => here !== there);
  const names_ = same.map(([here]) => here);
  return [
    ...pairs(names).map(([path, to]) => `${code(path)} is ${code(to)} of the state before`),
    ...(same.length === 0 ? [] : [`${list(names_)} ${areThose(names_)} of the entry that made the thing`]),
    ...renamed.map(([here, there]) => `${code(here)} is ${code(there)} of the entry that made the thing`),
    ...(since === undefined ? [] : [`recorded at ${code(since)} of the state before, or later`]),
  ];
}

function endsLine({ path, seconds }: NonNullable<Conditions["endsWithin"]>): string {
  return `${code(path)} of the new state is at most ${seconds} seconds after ${code("recordedAt")}`;
}

function lastsLine({ from, to, days }: NonNullable<Conditions["lasts"]>): string {
  return `${code(to)} of the new state is after ${code(from)}, and ${days} days of 24 hours after it at most`;
}

function sentences(conditions: Conditions, prefix = ""): Sentences {
  const { by = [], leadsTo, needs, lacks, keeps, counts, deadline, where } = conditions;
  const alone = [
    ...(areKnownAlone(by) ? byLines(conditions) : []),
    ...pairs(conditions.has).map(([path, value]) => `${code(path)} is ${code(value)}`),
    ...pairs(conditions.hasNot).map(([path, value]) => `${code(path)} is not ${code(value)}`),
    ...pairs(leadsTo?.status).map(
      ([value, status]) => `where ${code(leadsTo?.member)} is ${code(value)}, the new status is ${code(status)}`,
    ),
    ...pairs(conditions.sets).map(([path, value]) => `${code(path)} of the new state is ${code(value)}`),
    ...(needs === undefined ? [] : [`the new state has ${list(needs)}`]),
    ...(lacks === undefined ? [] : [`the new state has no ${list(lacks)}`]),
    ...recordLines(conditions.records),
    ...pairs(conditions.lists).map(
      ([path, member]) => `${code(member)} of the new state is among ${code(path)} of the entry`,
    ),
    ...(conditions.differ === undefined ? [] : [`no two of ${list(conditions.differ)} of the new state are equal`]),
    ...(conditions.lasts === undefined ? [] : [lastsLine(conditions.lasts)]),
  ];
  const after = [
    ...(areKnownAlone(by) ? [] : byLines(conditions)),
    ...sideLines(conditions),
    ...(keeps === undefined ? [] : [`${list(keeps)} of the state stay as they were`]),
    ...(counts === undefined ? [] : [`${code(counts)} of the state becomes one more`]),
    ...(deadline === "KEPT" ? ["recorded before the deadline of the state before, if that has one"] : []),
    ...(conditions.endsWithin === undefined ? [] : [endsLine(conditions.endsWithin)]),
    ...(deadline === "PASSED" ? ["the state before has a deadline, and it is recorded at that or later"] : []),
  ];
  const more = Object.entries(where?.is ?? {}).map(([value, conditions]) =>
    sentences(conditions, `where ${code(where?.member)} is ${code(value)}: `),
  );
  return {
    alone: [...alone.map((line) => `${prefix}${line}`), ...more.flatMap((one) => one.alone)],
    after: [...after.map((line) => `${prefix}${line}`), ...more.flatMap((one) => one.after)],
  };
}

/** Of entries of one type, about the thing that each moves. */
export function conditionParts(conditions: Conditions): readonly string[] {
  return parts(sentences(conditions));
}

/** Of every state of a kind. */
export function stateConditionParts(conditions: StateConditions): readonly string[] {
  const { needs, lacks, constant, initially, records, numbered, deadline, quorum, replaced, dependedOn } = conditions;
  const alone = [
    ...Object.entries(needs ?? {}).map(([status, paths]) => `${code(status)} has ${list(paths)}`),
    ...[...Map.groupBy(Object.entries(lacks ?? {}), ([, paths]) => list(paths))].map(
      ([paths, all]) => `${list(all.map(([status]) => status))} ${all.length === 1 ? "has" : "have"} no ${paths}`,
    ),
    ...recordLines(records).map((line) => `where the entry makes it: ${line}`),
    ...(numbered === undefined
      ? []
      : [
          `where the entry makes it: ${code(numbered)} is that of the one in whose place it comes plus 1, and 1 where there is none`,
        ]),
  ];
  const after = [
    ...(constant === undefined ? [] : [`${list(constant)} never ${constant.length === 1 ? "changes" : "change"}`]),
    ...(quorum === undefined
      ? []
      : [
          `an ${code(quorum.by)} brings it to ${code(quorum.status)} where there are enough approvals with it, and otherwise leaves its status; ` +
            `they are counted over all ${code(quorum.by)} about it, by ${code(quorum.requirements)} of the entry that made it`,
          `no ${code(quorum.by)} has people that another about it has`,
          `where ${code(quorum.decision)} of an ${code(quorum.by)} has \`delegatedBy\`, \`id\` of that is one of its people, and its actor is asked as a member of \`group\` of that alone`,
          `where an ${code(quorum.by)} has ${code(quorum.unknown)}, there are enough approvals only if there are without any one of those that have it`,
          `how it was approved, or denied, is in ${code(quorum.decision)}`,
        ]),
    ...side("an entry that puts another in its place", replaced),
    ...side("an entry that depends on it", dependedOn),
  ];
  return [
    ...(deadline === undefined
      ? []
      : [
          `Its deadline is ${deadline.length === 1 ? "" : "the first that is there, in this order, of "}${list(deadline)}.`,
        ]),
    ...(initially === undefined
      ? []
      : [`Before it is made it has ${pairs(initially).map(valued).join(", ")} and no other member.`]),
    ...parts({ alone, after }),
  ];
}

const valued = ([path, value]: readonly [string, unknown]) => `${code(path)} ${code(JSON.stringify(value))}`;

function side(who: string, conditions: SideConditions | undefined): readonly string[] {
  if (conditions === undefined) return [];
  return [...byLines(conditions), ...sideLines(conditions)].map((line) => `${who}: ${line}`);
}

function parts({ alone, after }: Sentences): readonly string[] {
  const part = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : [[`${title}:`, "", ...lines.map((line) => `- ${line}`)].join("\n")];
  return [...part("Conditions (RULE_BROKEN)", alone), ...part("Conditions (ILLEGAL_STEP)", after)];
}
