import { describe, expect, it } from "vitest";
import { fileOf } from "../../src/ledger/heads.ts";
import { announcedLedger } from "../../src/ledger/ledger-id.ts";

/** What anybody with a connection to the database can send. */
const GARBAGE = [
  "",
  " ",
  "acme/eu",
  "acme/eu ",
  "acme/eu x",
  "acme/eu -1",
  " acme/eu 1",
  "acme/eu 1 ",
  "acme eu 1",
  "Acme/eu 1",
  "acme/eu/us 1",
  "../../etc/passwd 1",
  "../x 1",
  "acme/\0 1",
  `${"a".repeat(64)}/eu 1`,
  `acme/eu ${"9".repeat(20)}`,
  "x".repeat(8_000),
  `${"x/".repeat(3_900)} 1`,
  "💥/💥 1",
];

describe("announcedLedger", () => {
  it.each(["acme/eu 1", "a/b 9223372036854775807", `${"a".repeat(63)}/${"b".repeat(63)} 1`])("reads %s", (payload) => {
    expect(announcedLedger(payload)).toBe(payload.split(" ")[0]);
  });

  it.each(GARBAGE)("finds no ledger in %j", (payload) => {
    expect(announcedLedger(payload)).toBeUndefined();
  });
});

describe("fileOf", () => {
  it.each(["..//../secrets/x", "../x", "a/../../b", "acme/\0", "/"] as const)("leads nowhere for %j", (name) => {
    expect(() => fileOf("/data/heads", name)).toThrow(TypeError);
  });
});
