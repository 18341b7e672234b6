import type { builder } from "../base/builder.ts";

type InputFields = Parameters<NonNullable<Parameters<typeof builder.inputType>[1]["fields"]>>[0];

/** The members of an input that name an action and the content of it that the person was shown. */
export const shownAction = (t: InputFields) => ({
  actionId: t.id({ required: true, description: "The action." }),
  digest: t.field({
    type: "Hash",
    required: true,
    description: "`Action.digest` of the content that was shown. A different digest is refused with DIGEST_MISMATCH.",
  }),
});
