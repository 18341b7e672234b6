import { z } from "zod";
import { isAddress } from "../addresses.ts";
import {
  displayNameSchema,
  emailSchema,
  nameListSchema,
  nameSchema,
  organizationSchema,
  regionSchema,
} from "../names.ts";
import type { Principal } from "../principal.ts";
import {
  actClaimOf,
  badClaim,
  type ClaimsReader,
  clientIdOf,
  identityOf,
  isMachine,
  kindSchema,
  nameProblemIn,
  read,
} from "./claim-values.ts";

/** Claims of a token that this installation signs itself. */
const houseSchema = z.object({
  sub: nameSchema,
  org: organizationSchema,
  kind: kindSchema,
  name: displayNameSchema.exactOptional(),
  email: emailSchema.refine(isAddress, "is no e-mail address").exactOptional(),
  email_verified: z.boolean().exactOptional(),
  region: regionSchema.exactOptional(),
  roles: nameListSchema.default([]),
  groups: nameListSchema.default([]),
  /** How the person signed in. */
  method: nameSchema.exactOptional(),
  /** How sure the provider was of the person who signed in at it. */
  assurance: z.enum(["SESSION", "MFA", "KEY"]).exactOptional(),
  /** The browser session. */
  sid: z.uuid().exactOptional(),
});
const actorSchema = houseSchema.pick({ name: true, roles: true, groups: true });

/** Reads tokens that we signed ourselves: they contain the organization and the kind, and their subjects are our ids. */
export const readHouseClaims: ClaimsReader = (claims) => {
  const parsed = houseSchema.safeParse(claims);
  if (!parsed.success) throw badClaim(String(parsed.error.issues[0]?.path[0]), nameProblemIn(parsed.error));
  const { sub: id, org: organization, kind, name, email, region, roles, groups, method, sid, assurance } = parsed.data;
  // A browser session was signed in by a provider: what that said of the address is in the token. Others are of our own people.
  const emailVerified = parsed.data.email_verified ?? sid === undefined;
  const subject = {
    id,
    kind,
    organization,
    ...(email === undefined ? {} : { email, ...(emailVerified ? { emailVerified } : {}) }),
    ...(name === undefined ? {} : { displayName: name }),
    ...(region === undefined ? {} : { region }),
    roles,
    groups,
  };
  const identity = identityOf(claims, {
    client: clientIdOf(claims),
    machine: isMachine(claims),
    subject,
    agent: agentOf(actClaimOf(claims), organization),
  });
  return {
    ...identity,
    ...(method === undefined ? {} : { method }),
    ...(sid === undefined || assurance === undefined ? {} : { assurance }),
    ...(sid === undefined ? {} : { sessionId: sid }),
  };
};

function agentOf(actor: ReturnType<typeof actClaimOf>, organization: string): Principal | undefined {
  if (actor === undefined) return undefined;
  const { name, roles, groups } = read(actorSchema, actor, "act");
  const named = name === undefined ? {} : { displayName: name };
  return { id: actor.sub, kind: "AGENT", organization, ...named, roles, groups };
}
