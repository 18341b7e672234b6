import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";

/** Claims of a verified address: of people without one nobody knows whether they are different, so one more has to approve. */
const at = (mailbox: string) => ({ email: `${mailbox}@tenant.example`, email_verified: true });

/** Who there is in each organization, by the claims of their tokens. */
const MEMBERS = {
  agent: { sub: "mia", ...at("mia"), roles: ["agent"], act: { sub: "bot" } },
  approver: { sub: "ada", ...at("ada"), roles: ["approver"], groups: ["approvers"] },
  auditor: { sub: "olga", ...at("olga"), roles: ["auditor"] },
  hostileAgent: { sub: "mallory", ...at("mallory"), roles: ["agent"], act: { sub: "rogue" } },
  hostileAuditor: { sub: "mallory", ...at("mallory"), roles: ["auditor"] },
};
export type Member = keyof typeof MEMBERS;

export interface Organizations {
  readonly names: readonly string[];
  /** The identity file that lets their members in. */
  readonly identityFile: string;
  /** An access token of somebody of `organization`; by default of its agent, which acts for a person there. */
  token(organization: string, as?: Member): Promise<string>;
  /** An access token with these claims. */
  sign(organization: string, claims: JWTPayload): Promise<string>;
  stop(): Promise<void>;
}

/** So many organizations, each with an issuer of its own; a server publishes the key that all of them sign with. */
export async function startOrganizations(count: number, directory: string): Promise<Organizations> {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  const keys = [{ ...(await exportJWK(publicKey)), kid: "one", alg: "ES256", use: "sig" }];
  const server = createServer((_request, response) => {
    response.setHeader("content-type", "application/json").end(JSON.stringify({ keys }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const jwksUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
  const names = Array.from({ length: count }, (_, n) => `tenant-${n}`);
  const issuerOf = (organization: string) => `urn:example:${organization}`;
  const identityFile = path.join(directory, "identity.json");
  const issuers = names.map((organization) => ({ issuer: issuerOf(organization), organization, jwksUri }));
  await writeFile(identityFile, JSON.stringify({ issuers }));
  const sign = (organization: string, claims: JWTPayload) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: "ES256", kid: "one", typ: "at+jwt" })
      .setIssuer(issuerOf(organization))
      .setAudience("countersign")
      .setJti(crypto.randomUUID())
      .setIssuedAt()
      .setExpirationTime("12h")
      .sign(privateKey);
  return {
    names,
    identityFile,
    sign,
    token: (organization, as = "agent") => sign(organization, MEMBERS[as]),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
