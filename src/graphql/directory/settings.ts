import type { FoldedDomain, Folding } from "../../domain/identity/addresses.ts";
import { builder } from "../base/builder.ts";
import { callerOf, viewerOf } from "../base/context.ts";
import { type Receipt, receiptPayload, receiptType } from "../ledger/receipt.ts";

const DOMAIN = {
  domain: "The domain of the addresses, such as `acme.example`.",
  plus: "Whether what follows a plus sign names no other mailbox: `ada+x` is `ada`.",
  dots: "Whether dots name no other mailbox: `a.da` is `ada`.",
};
const PROVIDERS =
  "Whether the spellings that well-known providers have for one mailbox are taken for one: at Gmail dots and plus signs, at Outlook, iCloud, Fastmail, Proton and others plus signs, and domains of one provider.";
const DOMAINS = "Further domains, for which this holds in place of what the providers say; at most 100.";

const FoldedDomainRef = builder.objectRef<FoldedDomain>("FoldedDomain").implement({
  description: "A domain whose addresses have several spellings for one mailbox.",
  fields: (t) => ({
    domain: t.exposeString("domain", { description: DOMAIN.domain }),
    plus: t.exposeBoolean("plus", { description: DOMAIN.plus }),
    dots: t.exposeBoolean("dots", { description: DOMAIN.dots }),
  }),
});

const AddressFoldingRef = builder.objectRef<Folding>("AddressFolding").implement({
  description:
    "Which e-mail addresses the organization takes for one mailbox, and so for one person: nobody approves what they asked for with a second account. Case, and how a domain is spelt, never make two mailboxes of one.",
  fields: (t) => ({
    ledger: t.string({
      description: "The ledger that records it, `<organization>/<region>`.",
      resolve: (_folding, _args, { ledger }) => ledger,
    }),
    providers: t.exposeBoolean("providers", { description: PROVIDERS }),
    domains: t.field({
      type: [FoldedDomainRef],
      description: DOMAINS,
      resolve: ({ domains }) => [...domains],
    }),
  }),
});

builder.queryField("addressFolding", (t) =>
  t.field({
    type: AddressFoldingRef,
    description: "Which e-mail addresses the organization takes for one mailbox.",
    authScopes: { signedIn: true },
    resolve: (_root, _args, context) => context.services.directory.addressFolding(viewerOf(context)),
  }),
);

interface FoldingChanged extends Receipt {
  readonly folding?: Folding | undefined;
}

const SetAddressFoldingPayload = receiptType<FoldingChanged>(
  "SetAddressFoldingPayload",
  "The result of `setAddressFolding`.",
);
builder.objectFields(SetAddressFoldingPayload, (t) => ({
  addressFolding: t.field({
    type: AddressFoldingRef,
    nullable: true,
    description: "The setting from now on; null when the change was refused.",
    resolve: ({ folding }) => folding ?? null,
  }),
}));

const FoldedDomainInput = builder.inputType("FoldedDomainInput", {
  description: "A domain whose addresses have several spellings for one mailbox.",
  fields: (t) => ({
    domain: t.string({ required: true, description: DOMAIN.domain }),
    plus: t.boolean({ required: true, description: DOMAIN.plus }),
    dots: t.boolean({ required: true, description: DOMAIN.dots }),
  }),
});

const SetAddressFoldingInput = builder.inputType("SetAddressFoldingInput", {
  description: "The complete setting.",
  fields: (t) => ({
    providers: t.boolean({ required: true, description: PROVIDERS }),
    domains: t.field({ type: [FoldedDomainInput], required: true, description: DOMAINS }),
  }),
});

builder.mutationField("setAddressFolding", (t) =>
  t.field({
    type: SetAddressFoldingPayload,
    description:
      "Sets which e-mail addresses the organization takes for one mailbox. Those that were taken for one when an action was proposed, or since, remain one for it. For administrators.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: SetAddressFoldingInput, required: true, description: "The complete setting." }) },
    resolve: (_root, { input }, context): Promise<FoldingChanged> =>
      receiptPayload(context, context.services.directory.setAddressFolding(callerOf(context), input)),
  }),
);
