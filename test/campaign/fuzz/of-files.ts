import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { checkConfig, type SettingName } from "../../../src/config.ts";
import { loadIdentityFile } from "../../../src/domain/identity/identity-file.ts";
import { loadCatalog, SAMPLE_CATALOG } from "../../../src/domain/policy/catalog.ts";
import { ConfigurationError } from "../../../src/errors.ts";
import { loadGuardExceptions } from "../../../src/ledger/verify.ts";
import type { Choices } from "./choices.ts";
import type { Target, World } from "./target.ts";
import { damaged, jsonOf, textOf } from "./values.ts";

const IDENTITY = {
  issuers: [
    {
      issuer: "https://login.acme.example",
      organization: "acme",
      audience: ["a"],
      algorithms: ["ES256"],
      claims: { roles: "realm.roles" },
      roleMap: { x: "approver" },
      clients: { "svc-1": { kind: "SERVICE" } },
    },
  ],
  trustedProxies: ["10.0.0.0/8"],
};

const FILES: readonly { readonly sample: string; load(file: string): Promise<unknown> }[] = [
  { sample: readFileSync(SAMPLE_CATALOG, "utf8"), load: loadCatalog },
  { sample: JSON.stringify(IDENTITY, null, 2), load: loadIdentityFile },
  { sample: JSON.stringify({ "public.a": ["missing"] }, null, 2), load: loadGuardExceptions },
];

const SETTINGS: readonly SettingName[] = [
  "PORT",
  "HOST",
  "DATA_DIR",
  "DATABASE_URL",
  "METRICS_PORT",
  "WATCH_SHARE",
  "WATCH_INTERVAL",
  "CORS_ORIGINS",
  "PUBLIC_URL",
  "LOG_LEVEL",
];

/** A value somewhere in `value` replaced, or a member added. */
function changed(choices: Choices, value: unknown): unknown {
  if (typeof value !== "object" || value === null || choices.oneIn(5)) return jsonOf(choices, 2);
  if (Array.isArray(value))
    return value.map((item, at) => (at === choices.below(value.length) ? changed(choices, item) : item));
  const entries = Object.entries(value);
  if (entries.length === 0 || choices.oneIn(4))
    return Object.fromEntries([...entries, [textOf(choices), jsonOf(choices, 2)]]);
  const chosen = choices.below(entries.length);
  return Object.fromEntries(
    entries.map(([name, member], at) => [name, at === chosen ? changed(choices, member) : member]),
  );
}

function complaint(error: unknown): string | undefined {
  return error instanceof ConfigurationError
    ? undefined
    : `not a ConfigurationError: ${error instanceof Error ? error.stack : error}`;
}

/** Configuration files and settings: accepted, or refused with a ConfigurationError. */
export function files(world: World): Target & { close(): Promise<void> } {
  const folder = mkdtemp(path.join(tmpdir(), "countersign-fuzz-"));
  return {
    name: "files",
    async try(choices) {
      const count = (outcome: string) => world.outcomes.set(outcome, (world.outcomes.get(outcome) ?? 0) + 1);
      try {
        if (choices.oneIn(4)) {
          const pairs = choices.some(4, () => [choices.pick(SETTINGS), textOf(choices)] as const);
          const { problems } = checkConfig(Object.fromEntries(pairs));
          count(problems.length === 0 ? "settings accepted" : "settings refused");
          return undefined;
        }
        const { sample, load } = choices.pick(FILES);
        const text = choices.oneIn(2)
          ? damaged(choices, sample)
          : JSON.stringify(changed(choices, JSON.parse(sample)), null, choices.below(3));
        const bytes = Buffer.from(text);
        if (choices.oneIn(10)) bytes[choices.below(bytes.length)] = 0x80 + choices.below(0x80);
        const file = path.join(await folder, "file.json");
        await writeFile(file, bytes);
        await load(file);
        count("file accepted");
        return undefined;
      } catch (error) {
        count("file refused");
        return complaint(error);
      }
    },
    async close() {
      await rm(await folder, { recursive: true, force: true });
    },
  };
}
