import { describe, expect, it } from "vitest";
import { schedule } from "../../src/jobs/schedule.ts";
import { recordingLog } from "../support/log.ts";
import { waitUntil } from "../support/wait.ts";

describe("schedule", () => {
  it("repeats a job, never two runs at a time, until stopped", async () => {
    let running = 0;
    let most = 0;
    let runs = 0;
    const run = async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      runs += 1;
      return false;
    };
    const job = schedule({ name: "test", interval: 0.001, run }, recordingLog());
    await waitUntil(() => runs >= 5);
    await job.stop();
    const atStop = runs;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect({ most, runs, running }).toEqual({ most: 1, runs: atStop, running: 0 });
  });

  it("waits for the run under way when stopped", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let done = false;
    const run = async () => {
      await promise;
      done = true;
      return false;
    };
    const stopping = schedule({ name: "test", interval: 60, run }, recordingLog()).stop();
    resolve();
    await stopping;
    expect(done).toBe(true);
  });

  it("goes on after a failure, which it logs", async () => {
    const log = recordingLog();
    let runs = 0;
    const run = async () => {
      runs += 1;
      throw new Error("down");
    };
    const job = schedule({ name: "test", interval: 0.001, run }, log);
    await waitUntil(() => runs >= 3);
    await job.stop();
    expect(log.messages.length).toBeGreaterThanOrEqual(3);
  });

  it("comes back soon after a failure, later after each further one, and as usual after a success", async () => {
    const starts: number[] = [];
    const run = async () => {
      starts.push(performance.now());
      if (starts.length < 5) throw new Error("down");
      return false;
    };
    const job = schedule({ name: "test", interval: 3600, retry: 0.02, run }, recordingLog());
    await waitUntil(() => starts.length === 5);
    await job.stop();
    const [, second = 0, , fourth = 0, fifth = 0] = starts;
    // 20, 40, 80 and 160 ms, each by up to a fifth shorter or longer: the last of them alone is longer than the first could be.
    expect(fifth - fourth).toBeGreaterThan(100);
    expect(fifth - second).toBeGreaterThan(200);
  });

  it("comes back at once while there is more, and can still be stopped", async () => {
    let runs = 0;
    const run = async () => {
      runs += 1;
      return runs < 10;
    };
    const job = schedule({ name: "test", interval: 3600, run }, recordingLog());
    await waitUntil(() => runs === 10);
    await job.stop();
  });
});
