// The baseline: Yoga as its documentation sets it up, with a mutation of the shape of proposeAction that does nothing.
// Prints its address, then serves until it is killed.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createSchema, createYoga } from "graphql-yoga";

const typeDefs = /* GraphQL */ `
  scalar JSON
  scalar UUID
  type Query { ping: Boolean! }
  type Mutation { proposeAction(input: ProposeActionInput!): ProposeActionPayload! }
  input ProposeActionInput {
    idempotencyKey: UUID!
    platform: String!
    tool: String!
    arguments: JSON!
    userRequest: String
    rationale: String
    conversationId: String
  }
  type ProposeActionPayload { action: Action grant: Grant userErrors: [UserError!]! }
  type Action { id: ID! status: String! digest: String! }
  type Grant { token: String! }
  type UserError { code: String! message: String! }
`;

const yoga = createYoga({
  schema: createSchema({
    typeDefs,
    resolvers: {
      Query: { ping: () => true },
      Mutation: {
        proposeAction: () => ({
          action: { id: randomUUID(), status: "ALLOWED", digest: `sha256:${"0".repeat(64)}` },
          grant: { token: "none" },
          userErrors: [],
        }),
      },
    },
  }),
  logging: false,
});
const server = createServer(yoga);
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`http://127.0.0.1:${port}/graphql\n`);
});
