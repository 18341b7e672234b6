import { randomUUID } from "node:crypto";

/** The bodies of the requests that are measured. */

const proposeDocument = `mutation Propose($input: ProposeActionInput!) {
  proposeAction(input: $input) { action { id status digest } grant { token } userErrors { code message } }
}`;

/** A call as an airline's assistant makes it, of ordinary size: about 600 bytes of JSON. */
const calls = {
  READ: {
    platform: "reservations",
    tool: "get_reservation_details",
    arguments: { reservation_id: "NO6JO3" },
    rationale: "I look up the reservation before I change anything.",
  },
  WRITE: {
    platform: "reservations",
    tool: "update_reservation_flights",
    arguments: {
      reservation_id: "NO6JO3",
      cabin: "economy",
      flights: [
        { flight_number: "HAT057", date: "2024-05-20" },
        { flight_number: "HAT039", date: "2024-05-20" },
      ],
      payment_id: "credit_card_4421486",
    },
    rationale: "The flights the person chose replace the ones in the reservation.",
  },
} as const;

function proposal(effect: "READ" | "WRITE", conversationId: string): object {
  const call = calls[effect];
  return {
    idempotencyKey: randomUUID(),
    ...call,
    // A write that waits already is not recorded twice.
    arguments: { ...call.arguments, reservation_id: randomUUID().slice(0, 6).toUpperCase() },
    userRequest: "Please move me to the flight after 11 AM, and use the card that ends in 7447.",
    conversationId,
  };
}

export function proposeBody(effect: "READ" | "WRITE", conversationId: string): string {
  return JSON.stringify({ query: proposeDocument, variables: { input: proposal(effect, conversationId) } });
}

const proposeTogetherDocument = `mutation Propose($input: ProposeActionsInput!) {
  proposeActions(input: $input) {
    results { action { id status digest } grant { token } userErrors { code message } }
    userErrors { code message }
  }
}`;

/** Proposes `count` actions in one request. */
export function proposeTogetherBody(effect: "READ" | "WRITE", conversationId: string, count: number): string {
  const actions = Array.from({ length: count }, () => proposal(effect, conversationId));
  return JSON.stringify({ query: proposeTogetherDocument, variables: { input: { actions } } });
}

function mutation(name: string, inputType: string, selection: string): (input: object) => string {
  const query = `mutation Step($input: ${inputType}!) { ${name}(input: $input) { ${selection} userErrors { code message } } }`;
  return (input) => JSON.stringify({ query, variables: { input } });
}

export const startSessionBody = mutation("startSession", "StartSessionInput", "session { id }");
export const approveBody = mutation("approveAction", "ApproveActionInput", "action { status }");
export const claimBody = mutation("claimGrant", "ClaimGrantInput", "grant { token }");
export const redeemBody = mutation("redeemGrant", "RedeemGrantInput", "action { status }");
export const completeBody = mutation("completeAction", "CompleteActionInput", "action { status }");

export const result = { reservation_id: "NO6JO3", status: "changed", total: 152 };
