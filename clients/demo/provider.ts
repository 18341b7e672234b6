#!/usr/bin/env node
// An OpenID provider on this machine, for trying IDENTITY_FILE, signing in with a browser, and agents that act for people.
// Everybody can sign in as any of its users: it is for trying only, and listens on 127.0.0.1.
//
//   npx node clients/demo/provider.ts                runs it, until Ctrl-C
//   npx node clients/demo/provider.ts --token mia    prints an access token of a person, from the one that runs
//
// The people are mia, ada, olga and sam. support-bot, with the secret `demo`, is an agent that may exchange a person's token
// for one with which it acts for that person (RFC 8693).
import { parseArgs } from "node:util";
import { RESOURCE, startIdentityProvider } from "../../test/support/identity-provider.ts";
import { codeFlow } from "../../test/support/oauth-client.ts";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "4400" },
    "redirect-uri": { type: "string", default: "http://127.0.0.1:4200/auth/callback" },
    token: { type: "string" },
  },
});
const port = Number(values.port);
const issuer = `http://127.0.0.1:${port}`;

function person(name: string, roles: readonly string[], groups: readonly string[]) {
  return { name, email: `${name.split(" ")[0]?.toLowerCase()}@acme.example`, roles, groups };
}

if (values.token !== undefined) {
  const provider = { issuer, resource: RESOURCE, tokenEndpoint: `${issuer}/token` };
  const { access_token: token } = await codeFlow(provider, values.token);
  process.stdout.write(`${token}\n`);
} else {
  const provider = await startIdentityProvider({
    port,
    audience: "countersign",
    users: {
      mia: person("Mia Li", ["member"], ["support"]),
      ada: person("Ada Alvarez", ["approver"], ["approvers"]),
      olga: person("Olga Novak", ["auditor"], []),
      sam: person("Sam Okoro", ["admin"], ["approvers"]),
    },
    agents: { "support-bot": { secret: "demo", claims: { name: "Support bot", roles: ["agent"], groups: [] } } },
    clients: [{ client_id: "countersign-console", client_secret: "demo", redirect_uris: [values["redirect-uri"]] }],
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void provider.close());
  process.stderr.write(
    `A demo identity provider is at ${provider.issuer}, with mia, ada, olga and sam. Ctrl-C ends it.\n`,
  );
}
