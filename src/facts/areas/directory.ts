import { ANY, anyStep, defineFact, defineState, made, type Step } from "../definition.ts";
import { PRINCIPAL_KINDS, profile } from "../envelope.ts";
import { always, code, count, erasable, flag, hex, instant, list, object, text } from "../schema.ts";

/** Who is known, who may act, and as what. */

const publicKey = object(
  {
    kid: text("RFC 7638 thumbprint; no condition says that it is that of the other members"),
    kty: text("key type"),
    crv: text("curve").optional(),
    x: text("coordinate").optional(),
    y: text("coordinate").optional(),
    n: text("modulus").optional(),
    e: text("exponent").optional(),
  },
  "a public key as a JWK (RFC 7517)",
);

export const PRINCIPAL = defineState("PRINCIPAL", {
  description: "what is decided about a principal; what a token claims comes on top",
  id: "that of the principal, which `subject.id` names too",
  namedBy: { path: "subject.id" },
  state: object(
    {
      kind: code(PRINCIPAL_KINDS, "what it is"),
      suspended: flag("whether it may do nothing"),
      roles: list(text("a role"), "roles given to it here"),
      owner: text("of an invited agent: the person who is responsible for it").optional(),
      invitedAt: instant("of an invited agent: when, by the clock of the server that invited it").optional(),
      platforms: list(text("a platform"), "platforms it may act on; without them, those of the catalog").optional(),
      key: text("RFC 7638 thumbprint of the key that its tokens must be bound to").optional(),
      gatewayKey: publicKey.optional(),
    },
    "the principal from this entry on",
  ),
  conditions: { constant: ["kind"], initially: { suspended: false, roles: [] } },
});

export const TOKEN = defineState("TOKEN", {
  description: "a token that is refused from now on",
  id: "issuer, a space, and the `jti`; `*` in place of the issuer stands for any. No condition says that it is of this form",
  state: object({ revoked: always(true, "that it is refused") }, "the token from this entry on"),
});

export const SETUP = defineState("SETUP", {
  description: "the one-time code of the first administrator",
  id: "`administrator`; servers read no other, and no condition forbids one",
  state: object(
    {
      hash: hex("SHA-256 of the code"),
      expiresAt: instant("when it is void"),
      attempts: count("wrong codes tried so far"),
      usedBy: text("who used it").optional(),
    },
    "the code from this entry on",
  ),
});

export const ORGANIZATION = defineState("ORGANIZATION", {
  description: "settings of an organization",
  id: "`organization`; servers read no other, and no condition forbids one",
  state: object(
    {
      addresses: object(
        {
          providers: flag("whether the spellings that well-known providers have for one mailbox are taken for one"),
          domains: list(
            object(
              {
                domain: text("in ASCII, in lower case"),
                plus: flag("whether what follows a plus sign names no other mailbox"),
                dots: flag("whether dots before the at sign name no other mailbox"),
              },
              "a domain",
            ),
            "further domains, for which this holds in place of what the providers say",
          ),
        },
        "which e-mail addresses are taken for one mailbox",
      ),
    },
    "the settings from this entry on",
  ),
});

const subject = object(
  { id: text("its id"), kind: code(PRINCIPAL_KINDS, "what it is"), profile },
  "the principal the entry is about",
);
const note = erasable<string>("why, as the person who did it wrote it").optional();
const reason = code(["LAST_ADMINISTRATOR"], "set where the server itself took a change back").optional();
const aboutPrincipal = { subject, note, reason };
/** Of what there is already. */
const changed: readonly Step[] = [[ANY, ANY]];
const movesPrincipal = { moves: { PRINCIPAL: anyStep }, permits: true };
/** Members of the state of a principal that come with an invitation. */
const invited = ["owner", "invitedAt", "platforms", "key", "gatewayKey"];
const records = { "subject.kind": "kind" };

export const DIRECTORY = {
  states: [PRINCIPAL, TOKEN, SETUP, ORGANIZATION],
  facts: [
    defineFact("PRINCIPAL_INVITED", {
      description: "an agent was registered, with its owner",
      members: aboutPrincipal,
      ...movesPrincipal,
      conditions: {
        by: ["HUMAN"],
        sets: { kind: "AGENT" },
        needs: ["owner", "invitedAt"],
        records,
        keeps: ["suspended", "roles"],
      },
    }),
    defineFact("PRINCIPAL_UPDATED", {
      description: "a registered agent has another name, owner, key or other platforms from here on",
      members: aboutPrincipal,
      moves: { PRINCIPAL: changed },
      permits: true,
      conditions: { by: ["HUMAN"], records, keeps: ["suspended", "roles", "invitedAt"] },
    }),
    defineFact("PRINCIPAL_SUSPENDED", {
      description: "a principal may do nothing more",
      members: aboutPrincipal,
      ...movesPrincipal,
      conditions: { by: ["HUMAN"], sets: { suspended: true }, records, keeps: ["roles", ...invited] },
    }),
    defineFact("PRINCIPAL_REINSTATED", {
      description: "a suspended principal may act again",
      members: aboutPrincipal,
      moves: { PRINCIPAL: changed },
      permits: true,
      conditions: { by: ["HUMAN"], sets: { suspended: false }, records, keeps: ["roles", ...invited] },
    }),
    defineFact("PRINCIPAL_ROLES_CHANGED", {
      description: "a principal has other roles from here on",
      members: aboutPrincipal,
      ...movesPrincipal,
      conditions: { by: ["HUMAN", "SYSTEM"], records, keeps: ["suspended", ...invited] },
    }),
    defineFact("TOKEN_REVOKED", {
      description: "one token is refused from here on",
      members: { note },
      moves: { TOKEN: made(ANY) },
      permits: true,
      conditions: { by: ["HUMAN"] },
    }),
    defineFact("SETTINGS_CHANGED", {
      description: "settings of the organization are others from here on",
      members: {},
      moves: { ORGANIZATION: anyStep },
      permits: true,
      conditions: { by: ["ADMINISTRATOR"] },
    }),
    defineFact("SETUP_CODE_ISSUED", {
      description: "the one-time code of the first administrator was made",
      members: {},
      moves: { SETUP: anyStep },
      permits: true,
      conditions: { by: ["SYSTEM"], sets: { attempts: 0 }, lacks: ["usedBy"] },
    }),
    defineFact("SETUP_CODE_REFUSED", {
      description: "somebody tried a wrong code",
      members: {},
      moves: { SETUP: changed },
      permits: true,
      conditions: { by: ["HUMAN"], counts: "attempts", keeps: ["hash", "expiresAt", "usedBy"] },
    }),
    defineFact("SETUP_CODE_USED", {
      description: "the code was used, by the actor",
      members: {},
      moves: { SETUP: changed },
      permits: true,
      conditions: { by: ["HUMAN"], records: { "actor.id": "usedBy" }, keeps: ["hash", "expiresAt", "attempts"] },
    }),
  ],
} as const;
