import { Refusal } from "../../errors.ts";
import { builder } from "./builder.ts";
import type { Context } from "./context.ts";

export interface UserErrorShape {
  readonly code: string;
  readonly message: string;
  readonly path: readonly string[];
}

const UserError = builder.interfaceRef<UserErrorShape>("UserError").implement({
  description: "An expected refusal: the request was valid, but was not permitted or not possible.",
  fields: (t) => ({
    code: t.exposeString("code", { description: "One of the codes listed in schema/errors.md." }),
    message: t.exposeString("message", { description: "What was refused and what to do about it, for people." }),
    path: t.stringList({
      description:
        'The path of the input member at fault, such as `["input", "digest"]`; empty when the error is about the whole input.',
      resolve: ({ path }) => [...path],
    }),
  }),
});

builder.objectRef<UserErrorShape>("Refusal").implement({
  description: "An expected refusal. The only type of user error so far.",
  interfaces: [UserError],
  isTypeOf: () => true,
});

/** `refusal` as its caller sees it: paths begin at the argument. `at` is the path of the member that was refused, if it is not all. */
export function userError({ code, message, path }: Refusal, at: readonly string[] = []): UserErrorShape {
  const whole = [...at, ...path];
  return { code, message, path: whole.length === 0 ? [] : ["input", ...whole] };
}

/** The result of `work`; when it throws a refusal, the result of `refused`. Rethrows other errors. */
export async function orRefusal<Result, Refused>(
  context: Context,
  work: Promise<Result>,
  refused: (refusal: Refusal) => Refused,
): Promise<Result | Refused> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    context.onRefusal(error.code);
    return refused(error);
  }
}

/** Registers a payload type; every one has `userErrors`. */
export function payloadType<Shape extends { readonly userErrors: readonly UserErrorShape[] }>(
  name: string,
  description: string,
) {
  const ref = builder.objectRef<Shape>(name);
  builder.objectType(ref, { description });
  builder.objectField(ref, "userErrors", (t) =>
    t.field({
      type: [UserError],
      description: "Why the change was refused; empty on success.",
      resolve: ({ userErrors }) => [...userErrors],
    }),
  );
  return ref;
}
