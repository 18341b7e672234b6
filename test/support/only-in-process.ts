import { ChildProcess } from "node:child_process";
import { Server, Socket } from "node:net";
import { afterEach, expect } from "vitest";

/**
 * Setup of the unit project. A test that listens, connects or starts a process fails, also when the code it tests
 * survives the error: it belongs to another project.
 */
const attempts: string[] = [];

function forbid(prototype: object, method: string, what: string): void {
  Object.defineProperty(prototype, method, {
    configurable: true,
    writable: true,
    value: () => {
      attempts.push(what);
      throw new Error(`a test of the unit project ${what}; test/README.md says which project it belongs to`);
    },
  });
}

forbid(Server.prototype, "listen", "listens");
forbid(Socket.prototype, "connect", "connects");
forbid(ChildProcess.prototype, "spawn", "starts a process");

/** What was attempted since the last call. */
export function takeAttempts(): readonly string[] {
  return attempts.splice(0);
}

afterEach(() => {
  expect(takeAttempts(), "a unit test needs neither server, database nor process").toEqual([]);
});
