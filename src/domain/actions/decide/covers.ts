import { reaches } from "../../../facts/assurance.ts";
import { type ApproverFilter, asksSame } from "../../../facts/quorum.ts";
import type { Requirement } from "../../policy/evaluate.ts";

/** Whether approvals that `asked` wants are good for `required` as well: it wants as much, of the same people or fewer. */
export function covers(asked: Requirement, required: Requirement): boolean {
  if (!asksSame(asked, required) || asked.needed < required.needed) return false;
  const { assurance, note, ownerConfirms, escalation, approver: filters = [] } = required;
  if (assurance !== undefined && !reaches(asked.assurance ?? "CHAT", assurance)) return false;
  if (note === true && asked.note !== true) return false;
  if (asked.ownerConfirms === true && ownerConfirms !== true) return false;
  if (!filters.every((filter) => (asked.approver ?? []).some((one) => isWithin(one, filter)))) return false;
  if (asked.escalation === undefined) return true;
  return escalation?.group === asked.escalation.group && escalation.at <= asked.escalation.at;
}

/** Whether whoever passes `one` passes `other`. */
function isWithin(one: ApproverFilter, other: ApproverFilter): boolean {
  return isSubset(one.roles, other.roles) && isSubset(one.regions, other.regions);
}

/** Without a list, anything will do. */
function isSubset(some: readonly string[] | undefined, all: readonly string[] | undefined): boolean {
  return all === undefined || some?.every((name) => all.includes(name)) === true;
}

/** Filters over approvers in words: `with the role manager`, `in eu or us`. */
export function filtersInWords(filters: readonly ApproverFilter[]): readonly string[] {
  return filters.flatMap(({ roles, regions }) => [
    ...(roles === undefined ? [] : [`with the role ${roles.join(" or ")}`]),
    ...(regions === undefined ? [] : [`in ${regions.join(" or ")}`]),
  ]);
}

/** A requirement in words: `2 approvals of approvers with MFA and a note`. */
export function described(requirement: Requirement): string {
  const { needed, group, role, assurance, note, approver = [], ownerConfirms } = requirement;
  const whom = role === true ? `role ${group}` : group;
  const wanted = [...(assurance === undefined ? [] : [assurance]), ...(note === true ? ["a note"] : [])];
  return [
    `${needed === 1 ? "an approval" : `${needed} approvals`} of ${whom}`,
    ...(ownerConfirms === true ? ["or of the person it is for"] : []),
    ...filtersInWords(approver),
    ...(wanted.length === 0 ? [] : [`with ${wanted.join(" and ")}`]),
  ].join(" ");
}
