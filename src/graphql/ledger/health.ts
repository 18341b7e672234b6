import { readsOrganization } from "../../domain/visibility/visibility.ts";
import { instant, type LedgerId } from "../../facts/entry.ts";
import type { LedgerHealth } from "../../ledger/watch/watched.ts";
import { eventsOfRegions } from "../base/across-regions/events.ts";
import { isOfAllRegions } from "../base/across-regions/merged.ts";
import { builder } from "../base/builder.ts";
import { type Context, callerOf } from "../base/context.ts";
import { LedgerCondition } from "../base/enums.ts";
import { endingWith } from "../base/follow.ts";
import { REGION } from "../base/regions.ts";
import { LedgerRef, ProblemRef } from "./ledger.ts";
import { type Receipt, receiptPayload, receiptType } from "./receipt.ts";

const HealthRef = builder.objectRef<LedgerHealth>("LedgerHealth").implement({
  description:
    "What the server that was asked knows of a ledger: it verifies new entries as they are recorded, the end of the ledger and the guards of the database every few minutes, and all of it once a day.",
  fields: (t) => ({
    ledger: t.exposeID("ledger", { description: "The ledger: `<organization>/<region>`." }),
    condition: t.field({
      type: LedgerCondition,
      description: "Whether something was found, and whether entries are recorded.",
      resolve: ({ condition }) => condition,
    }),
    verifiedTo: t.field({
      type: "Sequence",
      description: "The last position that was verified. Seconds behind the head, or further behind a busy ledger.",
      resolve: ({ verifiedTo }) => verifiedTo,
    }),
    checkedAt: t.field({
      type: "DateTime",
      description: "When the ledger was last verified, by the clock of the server; at first, when the server started.",
      resolve: ({ checkedAt }) => instant(checkedAt),
    }),
    problems: t.field({
      type: [ProblemRef],
      description:
        "The problems that were found and that no administrator has acknowledged; empty for callers who may not read the organization's whole ledger.",
      resolve: ({ problems }, _args, { caller }) =>
        caller !== undefined && readsOrganization(caller.principal) ? [...problems] : [],
    }),
  }),
});

builder.objectFields(LedgerRef, (t) => ({
  region: t.string({
    description: "The region of the ledger.",
    resolve: (_ledger, _args, { services }) => services.region,
  }),
  health: t.field({
    type: HealthRef,
    description: "What the server that was asked knows of its soundness.",
    resolve: ({ id }, _args, { services }) => services.watch.health(id),
  }),
}));

const AcknowledgeLedgerInput = builder.inputType("AcknowledgeLedgerInput", {
  description: "An acknowledgement of the problems of a ledger.",
  fields: (t) => ({
    region: t.string({ description: REGION }),
    note: t.string({ required: true, description: "What people found out, and what they did; must not be blank." }),
  }),
});

interface LedgerAcknowledged extends Receipt {
  readonly ledger?: { readonly id: LedgerId } | undefined;
}

const AcknowledgeLedgerPayload = receiptType<LedgerAcknowledged>(
  "AcknowledgeLedgerPayload",
  "The result of `acknowledgeLedger`.",
);
builder.objectFields(AcknowledgeLedgerPayload, (t) => ({
  ledger: t.field({
    type: LedgerRef,
    nullable: true,
    description: "The ledger; null when the acknowledgement was refused.",
    resolve: ({ ledger }) => ledger,
  }),
}));

builder.mutationField("acknowledgeLedger", (t) =>
  t.field({
    type: AcknowledgeLedgerPayload,
    description:
      "Records that people have looked into the problems in `health`, after which entries are recorded again, by this server immediately and by others within seconds. It repairs nothing: `verifyLedger` reports what was not restored. For administrators.",
    authScopes: { signedIn: true },
    args: { input: t.arg({ type: AcknowledgeLedgerInput, required: true, description: "The acknowledgement." }) },
    resolve: (_root, { input }, context): Promise<LedgerAcknowledged> => {
      const { services, ledger } = context;
      const acknowledged = services.acknowledgements.acknowledge(callerOf(context), ledger, input.note);
      return receiptPayload(
        context,
        acknowledged.then((result) => ({ ...result, ledger: { id: ledger } })),
      );
    },
  }),
);

/** Milliseconds between two events at least: a busy ledger is verified all the time. */
const GAP = 1_000;

/** The health of a ledger, whenever it changes, and now and then when it does not, until `signal` aborts. */
async function* healthOf({ services, ledger }: Context, signal: AbortSignal): AsyncGenerator<LedgerHealth, undefined> {
  const { watch, heartbeat } = services;
  let changed = false;
  let wake = () => {};
  const unfollow = watch.follow(ledger, () => {
    changed = true;
    wake();
  });
  const rest = (milliseconds: number, isOver: () => boolean) =>
    new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        wake = () => {};
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      signal.addEventListener("abort", end);
      wake = () => {
        if (isOver()) end();
      };
      if (signal.aborted || isOver()) end();
    });
  try {
    while (!signal.aborted) {
      changed = false;
      yield await watch.health(ledger);
      await rest(GAP, () => false);
      await rest(heartbeat * 1_000, () => changed);
    }
    return undefined;
  } finally {
    unfollow();
  }
}

async function* healthOfAll(context: Context, signal: AbortSignal): AsyncGenerator<LedgerHealth, undefined> {
  const begin = async (local: Context, ends: AbortSignal) => healthOf(local, ends);
  for await (const { event } of eventsOfRegions(context, signal, begin)) yield event;
  return undefined;
}

builder.subscriptionField("ledgerHealth", (t) =>
  t.field({
    type: HealthRef,
    description:
      "The health of the ledgers of your organization, each as it is, and then whenever it changes, at most once a second. When it did not change for a while, it is sent again.",
    authScopes: { signedIn: true },
    args: {
      region: t.arg.string({
        description:
          "Only the ledger of this region. Default: of all that this server serves and that your roles do not leave out.",
      }),
    },
    subscribe: (_root, { region }, context) =>
      endingWith(context, (signal) =>
        isOfAllRegions(context, region) ? healthOfAll(context, signal) : healthOf(context, signal),
      ),
    resolve: (health) => health,
  }),
);
