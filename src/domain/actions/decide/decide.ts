import type { Situation } from "../action.ts";
import { breakGlass } from "./break-glass.ts";
import { cancel } from "./cancel.ts";
import type { FollowUp } from "./command.ts";
import { completeAction, extendExecution, resolveAction } from "./complete.ts";
import { expire, markAmbiguous } from "./deadlines.ts";
import { approve, deny } from "./decision.ts";
import { claimGrant, redeemGrant } from "./grant.ts";
import { revokeApproval, voidApproval } from "./revoke.ts";
import type { TransitionResult } from "./transition.ts";

/**
 * What becomes of an existing action: an entry with the state it leads to, or a refusal. Pure; `now` is the database's
 * clock. The one way for every channel, so no channel can forget a rule. (`propose` makes an action; it has no state yet.)
 */
export function decide(situation: Situation, command: FollowUp, now: Date): TransitionResult {
  switch (command.type) {
    case "approve":
      return approve(situation, command, now);
    case "deny":
      return deny(situation, command, now);
    case "breakGlass":
      return breakGlass(situation, command, now);
    case "revokeApproval":
      return revokeApproval(situation, command, now);
    case "voidApproval":
      return voidApproval(situation, command, now);
    case "cancel":
      return cancel(situation, command, now);
    case "claimGrant":
      return claimGrant(situation, command, now);
    case "redeemGrant":
      return redeemGrant(situation, command, now);
    case "completeAction":
      return completeAction(situation, command, now);
    case "resolveAction":
      return resolveAction(situation, command, now);
    case "extendExecution":
      return extendExecution(situation, command, now);
    case "expire":
      return expire(situation, now);
    case "markAmbiguous":
      return markAmbiguous(situation, now);
  }
}
