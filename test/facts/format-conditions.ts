import type { Author, Conditions, StateConditions } from "../../src/facts/conditions.ts";

/** Conditions as sentences of the specification. */

const code = (text: unknown) => `\`${String(text)}\``;
const pairs = (members: Readonly<Record<string, unknown>> | undefined) => Object.entries(members ?? {});
const list = (items: readonly string[]) => items.map(code).join(", ");

function author(one: Author | { readonly author: Author; readonly from: string }): string {
  return typeof one === "string" ? one : `${one.author} (from ${code(one.from)})`;
}

/** Of entries of one type, about the thing that each moves. */
export function conditionLines(conditions: Conditions, prefix = ""): readonly string[] {
  const { by, leadsTo, keeps, counts, deadline, where } = conditions;
  const repeats = pairs(conditions.repeats);
  const same = repeats.filter(([here, there]) => here === there).map(([here]) => here);
  const renamed = repeats.filter(([here, there]) => here !== there);
  const lines = [
    ...(by === undefined ? [] : [`by ${by.map(author).join(" or ")}`]),
    ...pairs(conditions.has).map(([path, value]) => `${code(path)} is ${code(value)}`),
    ...pairs(leadsTo?.status).map(
      ([value, status]) => `where ${code(leadsTo?.member)} is ${code(value)}, the new status is ${code(status)}`,
    ),
    ...pairs(conditions.sets).map(([path, value]) => `${code(path)} of the new state is ${code(value)}`),
    ...pairs(conditions.records).map(([path, to]) => `${code(to)} of the new state is ${code(path)} of the entry`),
    ...pairs(conditions.names).map(([path, to]) => `${code(path)} is ${code(to)} of the state before`),
    ...(keeps === undefined ? [] : [`${list(keeps)} of the state stay as they were`]),
    ...(counts === undefined ? [] : [`${code(counts)} of the state becomes one more`]),
    ...(same.length === 0 ? [] : [`${list(same)} are those of the entry that made the thing`]),
    ...renamed.map(([here, there]) => `${code(here)} is ${code(there)} of the entry that made the thing`),
    ...(deadline === "KEPT" ? ["recorded before the deadline of the state before, if that has one"] : []),
    ...(deadline === "PASSED" ? ["recorded at or after the deadline of the state before"] : []),
  ];
  return [
    ...lines.map((line) => `- ${prefix}${line}`),
    ...Object.entries(where?.is ?? {}).flatMap(([value, more]) =>
      conditionLines(more, `where ${code(where?.member)} is ${code(value)}: `),
    ),
  ];
}

/** Of every state of a kind. */
export function stateConditionLines({ needs, constant, deadline, quorum }: StateConditions): readonly string[] {
  return [
    ...Object.entries(needs ?? {}).map(([status, paths]) => `- ${code(status)} has ${list(paths)}`),
    ...(constant === undefined ? [] : [`- ${list(constant)} never change`]),
    ...(deadline === undefined ? [] : [`- its deadline is the first there is of ${list(deadline)}`]),
    ...(quorum === undefined
      ? []
      : [
          `- it comes to ${code(quorum.status)} by ${code(quorum.by)} only with enough approvals, counted over all ${code(quorum.by)} ` +
            `about it and by ${code(quorum.requirements)} of the entry that made it; nobody approves twice`,
        ]),
  ];
}
