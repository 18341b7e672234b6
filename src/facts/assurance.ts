/** How sure it is that a decision is that of the person it is said to be of, weakest first. */
export const ASSURANCES = ["CHAT", "SESSION", "MFA", "KEY"] as const;
export type Assurance = (typeof ASSURANCES)[number];

/** What a decision counts as that does not say it: entries were recorded before they did. */
export const UNSTATED_ASSURANCE: Assurance = "SESSION";

/** Whether `given` is `asked`, or stronger. */
export function reaches(given: Assurance, asked: Assurance): boolean {
  return ASSURANCES.indexOf(given) >= ASSURANCES.indexOf(asked);
}

/** The stronger one. */
export function stronger(one: Assurance, other: Assurance): Assurance {
  return reaches(one, other) ? one : other;
}
