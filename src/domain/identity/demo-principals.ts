/** A principal of the built-in issuer. `actsFor` makes it an agent acting for that demo principal. */
export interface DemoPrincipal {
  readonly organization: string;
  readonly displayName: string;
  readonly email?: string;
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  readonly actsFor?: DemoName;
}

export const DEMO_NAMES = [
  "agent",
  "member",
  "approver",
  "approver2",
  "auditor",
  "admin",
  "admin2",
  "outsider",
] as const;
export type DemoName = (typeof DEMO_NAMES)[number];

/** Everyone the built-in issuer signs for. `outsider` approves too, but in another organization. */
export const DEMO_PRINCIPALS: Readonly<Record<DemoName, DemoPrincipal>> = {
  agent: { organization: "acme", displayName: "Demo agent", roles: ["agent"], groups: [], actsFor: "member" },
  member: human("acme", "Demo member", "member", ["member"], []),
  approver: human("acme", "Demo approver", "approver", ["approver"], ["approvers"]),
  approver2: human("acme", "Second demo approver", "approver2", ["approver"], ["approvers"]),
  auditor: human("acme", "Demo auditor", "auditor", ["auditor"], []),
  admin: human("acme", "Demo administrator", "admin", ["admin"], ["approvers"]),
  admin2: human("acme", "Second demo administrator", "admin2", ["admin"], ["approvers"]),
  outsider: human("globex", "Demo outsider", "outsider", ["approver"], ["approvers"]),
};

function human(
  organization: string,
  displayName: string,
  mailbox: string,
  roles: readonly string[],
  groups: readonly string[],
): DemoPrincipal {
  return { organization, displayName, email: `${mailbox}@${organization}.example`, roles, groups };
}
