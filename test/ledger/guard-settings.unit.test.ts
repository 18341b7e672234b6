import { describe, expect, it } from "vitest";
import { isSafe } from "../../src/ledger/guards/settings.ts";

describe("isSafe", () => {
  it.each([
    ["row_security", "on"],
    ["row_security", "TRUE"],
    ["row_security", "t"],
    ["row_security", "Y"],
    ["Row_Security", "1"],
    ["zero_damaged_pages", "f"],
    ["zero_damaged_pages", "N"],
    ["zero_damaged_pages", "of"],
    ["synchronous_commit", "yes"],
    ["synchronous_commit", "remote_apply"],
    ["session_preload_libraries", '""'],
    ["session_replication_role", "ORIGIN"],
    ["countersign.migration", "0"],
    ["work_mem", "1GB"],
  ])("takes %s = %s for what it means", (name, value) => {
    expect(isSafe(name, value)).toBe(true);
  });

  it.each([
    ["row_security", "of"],
    ["ROW_SECURITY", "F"],
    ["zero_damaged_pages", "tru"],
    ["zero_damaged_pages", "o"],
    ["fsync", ""],
    ["synchronous_commit", "n"],
    ["session_preload_libraries", "meddle"],
    ["session_replication_role", "Replica"],
    ["Countersign.Migration", "on"],
    ["default_table_access_method", "t"],
  ])("takes %s = %s for what switches a guard off", (name, value) => {
    expect(isSafe(name, value)).toBe(false);
  });
});
