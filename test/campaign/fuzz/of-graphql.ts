import type { DemoName } from "../../../src/domain/identity/demo-principals.ts";
import type { Choices } from "./choices.ts";
import { hostileDocumentOf, type Operation, operationOf } from "./operations.ts";
import { faultOf } from "./responses.ts";
import { CALLERS, PATIENCE, type Target, type World } from "./target.ts";
import { damaged, jsonOf } from "./values.ts";

async function post(world: World, as: DemoName | undefined, body: string): Promise<string | undefined> {
  const authorization = as === undefined ? {} : { authorization: `Bearer ${await world.app.token(as)}` };
  const response = await fetch(world.app.url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/graphql-response+json", ...authorization },
    body,
    signal: AbortSignal.timeout(PATIENCE),
  });
  return faultOf(world, response.status, await response.text());
}

/** Posts operations that `make` makes, now and then with another member or in damaged JSON. */
function posting(world: World, name: string, make: (choices: Choices) => Operation): Target {
  return {
    name,
    try(choices) {
      const as = choices.pick(CALLERS);
      const { query, variables } = make(choices);
      world.sent.add(query, variables);
      const request = choices.oneIn(30)
        ? { query, variables: jsonOf(choices), operationName: jsonOf(choices), extensions: jsonOf(choices) }
        : { query, variables };
      const text = JSON.stringify(request);
      const body = choices.oneIn(40) ? damaged(choices, text) : text;
      world.sent.addText(body);
      return post(world, as, body);
    },
  };
}

export const documents = (world: World): Target =>
  posting(world, "documents", (choices) => hostileDocumentOf({ choices, known: world.known }));

export const variables = (world: World): Target =>
  posting(world, "variables", (choices) => operationOf({ choices, known: world.known }));
