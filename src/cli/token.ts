import { type Command, InvalidArgumentError, Option } from "commander";
import { DEMO_NAMES, type DemoName } from "../domain/identity/demo-principals.ts";
import { regionSchema } from "../domain/identity/names.ts";
import { exitCodesHelp } from "./exit.ts";
import { settings, wholeNumber } from "./options.ts";
import { openDemoTokens } from "./tokens.ts";

interface TokenOptions {
  readonly as: DemoName;
  readonly role?: readonly string[];
  readonly amr?: readonly string[];
  readonly region?: string;
  readonly ttl: number;
  readonly dataDir?: string;
}

function addName(name: string, earlier: readonly string[] = []): readonly string[] {
  if (!/^[\w.:-]{1,64}$/.test(name)) throw new InvalidArgumentError("It has to be letters, digits and _ . : - only.");
  return [...earlier, name];
}

function oneRegion(region: string): string {
  if (regionSchema.safeParse(region).success) return region;
  throw new InvalidArgumentError("It has to be small letters, digits and hyphens, such as eu or us-east.");
}

async function token({ as, role, amr, region, ttl, dataDir }: TokenOptions): Promise<void> {
  const tokens = await openDemoTokens(settings(dataDir === undefined ? {} : { dataDir }));
  const signed = await tokens.sign(as, {
    ttl,
    ...(role === undefined ? {} : { roles: role }),
    ...(amr === undefined ? {} : { amr }),
    ...(region === undefined ? {} : { region }),
  });
  process.stdout.write(`${signed}\n`);
}

export function defineToken(program: Command): void {
  program
    .command("token")
    .summary("print a token of the built-in issuer")
    .description(
      "Signs a token for a demo principal with the keys in the data directory of a server on this machine. " +
        "Refused in production, where tokens come from your identity provider.",
    )
    .addOption(
      new Option("--as <principal>", "the principal to sign a token for").choices(DEMO_NAMES).makeOptionMandatory(),
    )
    .option("--role <role>", "a role instead of the principal's own; may be repeated", addName)
    .option("--amr <method>", "how the person signed in, such as mfa or hwk (RFC 8176); may be repeated", addName)
    .option("--region <region>", "where the person is, such as eu", oneRegion)
    .option("--ttl <seconds>", "lifetime of the token", wholeNumber(1, 86_400), 3_600)
    .option("--data-dir <directory>", "data directory of the server (default: DATA_DIR, then .data)")
    .addHelpText(
      "after",
      "\nExamples:\n  countersign token --as approver\n  TOKEN=$(countersign token --as agent --ttl 600)\n" +
        "  countersign token --as agent --role approver   # still cannot approve: it is an agent\n" +
        "  countersign token --as approver --amr pwd --amr otp   # where the policy wants a second factor",
    )
    .addHelpText(
      "after",
      exitCodesHelp({
        OK: true,
        FAILED: true,
        USAGE: "wrong arguments or settings, or no keys in the data directory",
        REFUSED: "refused: tokens come from an identity provider",
      }),
    )
    .action(token);
}
