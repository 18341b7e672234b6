import { randomUUID } from "node:crypto";
import {
  type GraphQLField,
  type GraphQLNamedType,
  getNamedType,
  isInterfaceType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
} from "graphql";
import { schema } from "../../src/graphql/schema.ts";
import { AREAS, type AreaName, type Arguments, type TracedArea } from "./access.areas.ts";
import type { Probe, Traces } from "./access-reach.ts";

export type Operation = "query" | "mutation" | "subscription";

const NO_DIGEST = `sha256:${"0".repeat(64)}`;

const areas: readonly TracedArea[] = Object.values(AREAS);

/** Variables any call may use, with their types. */
export const VARIABLES: Arguments = Object.assign(
  { digest: "Hash!", key: "UUID!" },
  ...areas.map(({ types }) => types),
);

/** Nothing is decided by a digest that is not the action's. */
const harmless = () => ({ digest: NO_DIGEST, key: randomUUID() });

export function variablesFor(traces: Traces): Arguments {
  return Object.assign(harmless(), ...Object.values(traces.areas).map(({ variables }) => variables));
}

/** The variables of traces that nobody left, in `ledger`. */
export function variablesForNothing(ledger: string): Arguments {
  return Object.assign(harmless(), ...areas.map(({ nothing }) => nothing(ledger)));
}

/** Everything that can be selected of `typename` and of what it leads to, `depth` steps far; `lists`: also many of them. */
function everything(typename: string, depth: number, lists: boolean): string {
  return `{${members(schema.getType(typename), depth, lists).join(" ")}}`;
}

function members(type: GraphQLNamedType | undefined, depth: number, lists: boolean): readonly string[] {
  if (!isObjectType(type) && !isInterfaceType(type)) throw new Error(`${type} has no fields`);
  return Object.values(type.getFields()).flatMap((field) => member(type.name, field, depth, lists));
}

function member(
  of: string,
  { name, type, args }: GraphQLField<unknown, unknown>,
  depth: number,
  lists: boolean,
): readonly string[] {
  // The edges of a connection hold what its nodes do.
  if (args.some((argument) => isNonNullType(argument.type)) || (of.endsWith("Connection") && name === "edges"))
    return [];
  const named = getNamedType(type);
  if (isLeafType(named)) return [name];
  const isPage = named.name.endsWith("Connection");
  const isMany = isPage || isListType(isNonNullType(type) ? type.ofType : type);
  if (depth === 0 || (isMany && !lists && !(of.endsWith("Connection") && name === "nodes"))) return [];
  const inner = members(named, isPage ? depth : depth - 1, lists);
  return inner.length === 0 ? [] : [`${name}{${inner.join(" ")}}`];
}

const [ACTION, ENTRY, SESSION] = ["Action", "AuditEntry", "Session"].map((type) => everything(type, 2, true));
const [ACTIONS, ENTRIES, SESSIONS] = ["Action", "AuditEntry", "Session"].map((type) => everything(type, 1, false));
const POLICY_VERSION = everything("PolicyVersion", 1, true);
const PRINCIPAL = everything("DirectoryPrincipal", 1, true);
const EDGE = "{sourceChainHash chainHash evidence sourceEntries{id}}";
const GRAPH = `{nodes{chainHash platform entries${ENTRIES}} edges${EDGE}}`;
const CHANGED = `{principal${PRINCIPAL} entry${ENTRIES} userErrors{code}}`;
const RECEIPT = `action${ACTIONS} entry${ENTRIES} userErrors{code}`;

const each = (call: string): Probe => ({ how: "each", call });
const list = (call: string): Probe => ({ how: "list", call });
const whole = (tells: "own" | "organization", call: string): Probe => ({ how: "whole", tells, call });
const about = (area: AreaName, probe: Probe): Probe => ({ ...probe, about: area });
const principals = (probe: Probe): Probe => about("principals", probe);
const only = (probe: Probe) => ({ "": probe });

/** A policy that reads who would act. */
const READS_PRINCIPAL =
  '{"policy":1,"catalog":{"platforms":{},"tools":[]},"rules":[{"id":"r","when":"[principal].size() == 0","forbid":true,"reason":"r"}]}';

/** Probes by root field; `node` has one for each type that it can answer. A new root field has to be added here. */
export const PROBES: Readonly<Record<Operation, Readonly<Record<string, Readonly<Record<string, Probe>>>>>> = {
  query: {
    viewer: only(whole("own", `viewer${everything("Principal", 1, true)}`)),
    node: {
      Action: each(`node(id:$action){id ...on Action${ACTION}}`),
      AuditEntry: each(`node(id:$entry){id ...on AuditEntry${ENTRY}}`),
      PolicyVersion: about("policies", each(`node(id:$policyVersion){id ...on PolicyVersion${POLICY_VERSION}}`)),
      Session: each(`node(id:$session){id ...on Session${SESSION}}`),
      Delegation: each("node(id:$delegation){id ...on Delegation{delegator{id} group}}"),
    },
    action: { "by id": each(`action(id:$action)${ACTION}`), "by UUID": each(`action(id:$uuid)${ACTION}`) },
    actions: only(list(`actions(first:100){nodes${ACTIONS}}`)),
    pendingApprovals: only(list(`pendingApprovals(first:100){nodes${ACTIONS}}`)),
    auditEntries: {
      "": list(`auditEntries(first:100){nodes${ENTRIES}}`),
      "newest first": list(`auditEntries(first:100,newestFirst:true){nodes${ENTRIES}}`),
      "by action": each(`auditEntries(first:50,filter:{actionId:$action}){nodes${ENTRIES}}`),
      "by session": each(`auditEntries(first:50,filter:{sessionId:$session}){nodes${ENTRIES}}`),
      "by chain": each(`auditEntries(first:50,filter:{chainHash:$chain}){nodes${ENTRIES}}`),
      "by actor": each(`auditEntries(first:50,filter:{actorId:$doer}){nodes${ENTRIES}}`),
    },
    auditEntry: {
      "by position": each(`auditEntry(seq:$seq)${ENTRY}`),
      "by hash": each(`auditEntry(hash:$hash)${ENTRY}`),
    },
    ledger: only(whole("organization", `ledger${everything("Ledger", 1, true)}`)),
    verifyLedger: only(whole("organization", `verifyLedger${everything("LedgerVerification", 1, true)}`)),
    lineage: only(
      each(
        `lineage(chainHash:$chain,direction:BOTH){nodes{chainHash platform entries${ENTRIES}} edges{sourceChainHash chainHash}}`,
      ),
    ),
    provenance: { "by position": each(`provenance(seq:$seq)${GRAPH}`) },
    impact: { "by position": each(`impact(seq:$seq)${GRAPH}`) },
    lineageEdges: {
      "": list(`lineageEdges(first:100,newestFirst:true){nodes${EDGE}}`),
      "by chain": each(`lineageEdges(first:50,filter:{chainHash:$chain}){nodes${EDGE}}`),
    },
    session: only(each(`session(id:$session)${SESSION}`)),
    sessions: only(list(`sessions(first:100){nodes${SESSIONS}}`)),
    principal: only(principals(each(`principal(id:$doer)${PRINCIPAL}`))),
    principals: only(principals(list(`principals(first:100){nodes${PRINCIPAL}}`))),
    addressFolding: only(whole("organization", "addressFolding{ledger providers domains{domain plus dots}}")),
    simulatePolicy: only(
      list(`simulatePolicy(document:"""${READS_PRINCIPAL}"""){changes(first:100){action${ACTIONS}}}`),
    ),
    policy: only(whole("organization", `policy${POLICY_VERSION}`)),
    policyVersions: only(whole("organization", `policyVersions(first:20){nodes${POLICY_VERSION}}`)),
    oversight: only(
      whole(
        "organization",
        `oversight(from:"2026-01-01T00:00:00Z",to:"2027-01-01T00:00:00Z")${everything("Oversight", 1, true)}`,
      ),
    ),
    explainPolicy: only(
      principals(
        each(
          `explainPolicy(input:{document:"""${READS_PRINCIPAL}""",platform:"crm",tool:"t",arguments:{},asPrincipalId:$doer}){outcome reason explanation{ruleId values}}`,
        ),
      ),
    ),
    channels: only(about("channels", list(`channels${everything("ConfiguredChannel", 1, true)}`))),
    undeliveredNotices: only(
      whole("organization", `undeliveredNotices(first:100){nodes{channel name to action${ACTIONS}} asOf{ledger}}`),
    ),
    waitForDecision: only(each(`waitForDecision(id:$action,seconds:0)${ACTION}`)),
    delegations: only(list("delegations{id delegator{id} delegate{id} group startsAt endsAt ended}")),
    teams: only(principals(list("teams{id name leads{id} members(first:20){nodes{id}}}"))),
  },
  mutation: {
    proposeAction: {
      "": whole(
        "own",
        `proposeAction(input:{idempotencyKey:$key,platform:"crm",tool:"get_user_details",arguments:{}}){${RECEIPT}}`,
      ),
    },
    proposeActions: {
      "": whole(
        "own",
        `proposeActions(input:{actions:[{idempotencyKey:$key,platform:"crm",tool:"get_user_details",arguments:{}}]}){results{${RECEIPT}} userErrors{code}}`,
      ),
    },
    approveAction: only(each(`approveAction(input:{actionId:$action,digest:$digest}){${RECEIPT}}`)),
    denyAction: only(each(`denyAction(input:{actionId:$action,digest:$digest,note:"no"}){${RECEIPT}}`)),
    decideActions: only(
      each(
        `decideActions(input:{decisions:[{actionId:$action,digest:$digest,verdict:APPROVE}]}){results{${RECEIPT}} userErrors{code}}`,
      ),
    ),
    breakGlass: only(each(`breakGlass(input:{actionId:$action,digest:$digest,reason:"fire"}){${RECEIPT}}`)),
    reviewBreakGlass: only(each(`reviewBreakGlass(input:{actionId:$action,justified:true,note:"no"}){${RECEIPT}}`)),
    claimGrant: only(each(`claimGrant(input:{actionId:$action}){action${ACTIONS} userErrors{code}}`)),
    redeemGrant: only(list(`redeemGrant(input:{token:"x",digest:$digest}){${RECEIPT}}`)),
    completeAction: only(each(`completeAction(input:{actionId:$action,outcome:FAILED}){${RECEIPT}}`)),
    revokeApproval: only(each(`revokeApproval(input:{actionId:$action,note:"no"}){${RECEIPT}}`)),
    resolveAction: only(each(`resolveAction(input:{actionId:$action,outcome:FAILED,note:"no"}){${RECEIPT}}`)),
    extendExecution: only(each(`extendExecution(input:{actionId:$action,seconds:1}){${RECEIPT}}`)),
    cancelAction: only(each(`cancelAction(input:{actionId:$action}){${RECEIPT}}`)),
    startSession: only(whole("own", `startSession(input:{}){session${SESSIONS} entry${ENTRIES} userErrors{code}}`)),
    endSession: only(
      each(`endSession(input:{sessionId:$session}){session${SESSIONS} entry${ENTRIES} userErrors{code}}`),
    ),
    acknowledgeLedger: only(list(`acknowledgeLedger(input:{note:" "}){ledger{id} entry${ENTRIES} userErrors{code}}`)),
    // What is said to be changed is never acceptable, or no change: whoever may do it is told so.
    inviteAgent: {
      "": principals(each(`inviteAgent(input:{agentId:$doer,displayName:"",ownerId:$doer})${CHANGED}`)),
    },
    updateAgent: only(principals(each(`updateAgent(input:{agentId:$doer})${CHANGED}`))),
    suspendPrincipal: only(principals(each(`suspendPrincipal(input:{principalId:$doer,reason:" "})${CHANGED}`))),
    reinstatePrincipal: only(principals(each(`reinstatePrincipal(input:{principalId:$doer,reason:" "})${CHANGED}`))),
    setPrincipalRoles: only(principals(each(`setPrincipalRoles(input:{principalId:$doer,roles:[""]})${CHANGED}`))),
    revokeToken: only(list(`revokeToken(input:{tokenId:"",reason:" "}){entry${ENTRIES} userErrors{code}}`)),
    publishPolicy: only(list(`publishPolicy(input:{document:"",note:" "}){version{id} ${RECEIPT}}`)),
    setAddressFolding: only(
      list(
        `setAddressFolding(input:{providers:true,domains:[{domain:"",plus:true,dots:true}]}){addressFolding{providers} entry${ENTRIES} userErrors{code}}`,
      ),
    ),
    delegateApprovals: only(
      principals(
        each(
          'delegateApprovals(input:{toPrincipalId:$doer,group:"",endsAt:"2000-01-01T00:00:00Z"}){delegation{id} entry{id} userErrors{code}}',
        ),
      ),
    ),
    endDelegation: only(
      each(`endDelegation(input:{delegationId:$delegation}){delegation{id} entry${ENTRIES} userErrors{code}}`),
    ),
    configureChannel: only(list(`configureChannel(input:{name:""}){channel{name} entry${ENTRIES} userErrors{code}}`)),
    removeChannel: only(list(`removeChannel(input:{name:""}){channel{name} entry${ENTRIES} userErrors{code}}`)),
    startAccountLink: only(list('startAccountLink(input:{channel:""}){expiresAt userErrors{code}}')),
    unlinkAccount: only(list(`unlinkAccount(input:{accountId:""}){entry${ENTRIES} userErrors{code}}`)),
    retryNotice: only(
      each(`retryNotice(input:{actionId:$action,channel:"x"}){notice{to} entry${ENTRIES} userErrors{code}}`),
    ),
    openNotice: only(
      each(`openNotice(input:{actionId:$action,channel:"x"}){notice{to} entry${ENTRIES} userErrors{code}}`),
    ),
    claimAdministrator: only(principals(list(`claimAdministrator(input:{code:"x"})${CHANGED}`))),
  },
  subscription: {
    pendingApprovals: only(list(`pendingApprovals(after:"0"){cursor change action${ACTIONS}}`)),
    actionChanged: only(each(`actionChanged(id:$action,after:"0")${ACTIONS}`)),
    auditEntries: only(list(`auditEntries(after:"0"){cursor entry${ENTRIES}}`)),
    ledgerHealth: only(whole("organization", `ledgerHealth${everything("LedgerHealth", 1, true)}`)),
  },
};
