import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Queryable } from "../../../src/ledger/read.ts";
import { createFindings } from "../../../src/ledger/watch/findings.ts";
import { createProblemStore } from "../../../src/ledger/watch/problem-store.ts";
import type { WatchProblem } from "../../../src/ledger/watch/problems.ts";
import { Watched } from "../../../src/ledger/watch/watched.ts";
import { waitUntil } from "../../support/wait.ts";

const PROBLEM: WatchProblem = { verdict: "LINK_BROKEN", seq: 4n, detail: "wrong" };

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "countersign-findings-"));
});
afterEach(() => rm(directory, { recursive: true }));

it("keeps what was found at once, also while the database does not say what was acknowledged", async () => {
  const { promise: response, reject } = Promise.withResolvers<never>();
  const problemStore = createProblemStore(directory);
  const errors: string[] = [];
  const findings = createFindings({
    pool: { query: () => response } as unknown as Queryable,
    problemStore,
    isSigned: () => true,
    stops: true,
    onFound: () => undefined,
    onAcknowledged: () => undefined,
    onError: ({ message }) => void errors.push(message),
  });
  const watched = new Watched("acme/eu", new Date());
  const noted = findings.note(watched, [PROBLEM], "end");
  await waitUntil(async () => (await problemStore.read("acme/eu")).length > 0);
  // What a server finds that starts after this one was killed here.
  expect(await createProblemStore(directory).read("acme/eu")).toEqual([PROBLEM]);
  reject(new Error("the database is away"));
  await noted;
  expect(errors).toEqual(["the database is away"]);
  expect(findings.refusal(watched)).toMatchObject({ code: "LEDGER_STOPPED" });
});
