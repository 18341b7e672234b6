import type { IssuedGrant } from "../../domain/actions/actions.ts";
import { instant } from "../../facts/entry.ts";
import { builder } from "../base/builder.ts";
import type { ActionPayload } from "./payload.ts";

/** What a mutation that can issue a grant returns. */
export interface GrantingPayload extends ActionPayload {
  readonly grant?: IssuedGrant | undefined;
}

export const Grant = builder.objectRef<IssuedGrant>("Grant").implement({
  description:
    "A signed, single-use token (JWS) that permits one agent to carry out one action before a deadline. The server returns it once and stores only its hash.",
  fields: (t) => ({
    token: t.exposeString("token", { description: "The token to pass to `redeemGrant`." }),
    expiresAt: t.field({
      type: "DateTime",
      description: "It must be redeemed before this instant.",
      resolve: ({ expiresAt }) => instant(expiresAt),
    }),
  }),
});
