import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import type { Authentication } from "../../../src/domain/identity/authentication.ts";
import { createCurrentClaims } from "../../../src/domain/identity/browser/current-claims.ts";
import type { ProviderSession } from "../../../src/domain/identity/browser/provider-session.ts";
import { silent } from "../../support/log.ts";
import { useDatabase } from "./use-database.ts";

const pool = useDatabase();
const ISSUER = "https://login.acme.example";
const ada = (groups: readonly string[]) =>
  ({ id: "ada", kind: "HUMAN", organization: "acme", roles: [], groups }) as const;
const session = (groups: readonly string[]): ProviderSession => ({
  identity: { principal: ada(groups), method: "password" },
  subject: "ada",
  tokens: { accessToken: "t" },
});

it("a decision does not rest on what the provider said before it was made", async () => {
  const asked: ((groups: readonly string[]) => void)[] = [];
  let time = Date.now();
  const claims = createCurrentClaims({
    db: pool,
    secret: new Uint8Array(32),
    ask: () => new Promise((resolve) => asked.push((groups) => resolve(session(groups)))),
    revoke: async () => {},
    maxAge: 300_000,
    decisionMaxAge: 0,
    log: silent,
    now: () => (time += 1),
  });
  const sessionId = randomUUID();
  await claims.begin(sessionId, ISSUER, session(["approvers"]), Date.now() / 1_000 + 600);
  const presented = { principal: ada(["approvers"]), method: "password", sessionId } as unknown as Authentication;
  const first = claims.forDecision(presented);
  await expect.poll(() => asked.length).toBe(1);
  // The provider was asked already, and takes the group away now.
  const second = claims.forDecision(presented);
  const third = claims.forDecision(presented);
  asked[0]?.(["approvers"]);
  expect((await first).principal.groups).toEqual(["approvers"]);
  await expect.poll(() => asked.length).toBe(2);
  asked[1]?.([]);
  expect((await second).principal.groups).toEqual([]);
  expect((await third).principal.groups).toEqual([]);
  expect(asked).toHaveLength(2);
  claims.stop();
});
