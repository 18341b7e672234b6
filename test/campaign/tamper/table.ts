import type { Class, Manipulation, Table } from "./manipulation.ts";
import { OF_APPENDS } from "./of-appends.ts";
import { OF_FUNCTIONS, OF_PARTITIONS, OF_RIGHTS } from "./of-code.ts";
import { OF_ENTRIES } from "./of-entries.ts";
import { OF_FILES } from "./of-files.ts";
import { OF_CLOCK, OF_HEADS } from "./of-heads.ts";
import { OF_PAYLOADS } from "./of-payloads.ts";
import { OF_ACTIONS, OF_CHAINS, OF_DEADLINES, OF_DIRECTORY, OF_SESSIONS } from "./of-states.ts";

export const TABLE: Table = {
  entries: OF_ENTRIES,
  payloads: OF_PAYLOADS,
  actions: OF_ACTIONS,
  sessions: OF_SESSIONS,
  directory: OF_DIRECTORY,
  chains: OF_CHAINS,
  "evidence files": OF_FILES,
  "functions and settings": OF_FUNCTIONS,
  "rights and roles": OF_RIGHTS,
  partitions: OF_PARTITIONS,
  clock: OF_CLOCK,
  heads: OF_HEADS,
  "grants and deadlines": OF_DEADLINES,
  "forged appends": OF_APPENDS,
};

export type Case = Manipulation & { readonly class: Class };
export const CASES: readonly Case[] = Object.entries(TABLE).flatMap(([name, manipulations]) =>
  manipulations.map((manipulation) => ({ ...manipulation, class: name as Class })),
);
