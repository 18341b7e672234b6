import { asError } from "../../errors.ts";
import type { LedgerId } from "../../facts/entry.ts";
import type { Logger } from "../../log.ts";
import type { Configuration } from "./configuration.ts";
import type { Damage } from "./damage.ts";
import type { ChannelKind, Door, Driver, OpenChannel } from "./driver.ts";
import { type Channel, type ChannelSource, ledgersWithChannels, listChannels } from "./store.ts";

export interface ConnectionsOptions extends ChannelSource {
  /** Where channels are configured. */
  readonly region: string;
  readonly configuration: Pick<Configuration, "opened">;
  readonly drivers: ReadonlyMap<ChannelKind, Driver>;
  readonly door: Door;
  readonly damage: Damage;
  /** Seconds between two looks for channels that were configured elsewhere. */
  readonly interval: number;
  readonly log: Pick<Logger, "warn">;
}

/** Keeps the connections that channels need, on each server: what arrives by one is decided like anything else. */
export interface Connections {
  /** Looks for channels that were configured. */
  wake(): void;
  stop(): Promise<void>;
}

interface Kept {
  readonly channel: OpenChannel;
  readonly over: AbortController;
  readonly ended: Promise<void>;
}

export function createConnections(options: ConnectionsOptions): Connections {
  const { configuration, drivers, door, damage, interval, log } = options;
  const kept = new Map<string, Kept>();
  let stopped = false;
  let failing = false;
  let looking: Promise<void> | undefined;
  let again = false;

  function connect(key: string, channel: OpenChannel): void {
    const driver = drivers.get(channel.kind);
    if (driver?.connect === undefined) return;
    const over = new AbortController();
    const ended = driver
      .connect(channel, door, over.signal)
      // One that needs none has resolved, and stays until it is configured otherwise.
      .catch((error: unknown) => {
        if (over.signal.aborted) return;
        log.warn({ channel: key, err: asError(error) }, "the connection of a channel ended; it is made again");
        if (kept.get(key)?.over === over) kept.delete(key);
      });
    kept.set(key, { channel, over, ended });
  }

  function disconnect(key: string, { over }: Kept): void {
    over.abort();
    kept.delete(key);
  }

  async function lookAt(key: string, channel: Channel): Promise<void> {
    const known = kept.get(key);
    if (stopped || known?.channel.configuredAt === channel.entry.seq) return;
    known?.over.abort();
    await known?.ended;
    const opened = drivers.get(channel.kind)?.connect === undefined ? undefined : await configuration.opened(channel);
    if (opened !== undefined && !stopped) connect(key, opened);
  }

  async function lookIn(ledger: LedgerId): Promise<void> {
    const channels = await listChannels(options, ledger);
    const found = new Map(channels.map((channel) => [`${ledger}/${channel.name}`, channel]));
    for (const [key, one] of kept) if (key.startsWith(`${ledger}/`) && !found.has(key)) disconnect(key, one);
    for (const [key, channel] of found) await lookAt(key, channel);
  }

  /** What is wrong with the channels of one organization keeps those of no other from being looked at. Rejects with the first of it. */
  async function look(): Promise<void> {
    const ledgers = new Set<string>(await ledgersWithChannels(options, options.region));
    // By copies, some may not be found.
    const isWhole = options.copies?.isDown() !== true;
    for (const [key, one] of kept) {
      if (isWhole && !ledgers.has(key.slice(0, key.lastIndexOf("/")))) disconnect(key, one);
    }
    let failure: { readonly error: unknown } | undefined;
    for (const ledger of ledgers) {
      await lookIn(ledger as LedgerId).catch((error: unknown) => {
        failure ??= { error: damage.note(error) };
      });
    }
    if (failure !== undefined) throw failure.error;
  }

  function tick(): void {
    again = true;
    looking ??= (async () => {
      while (again && !stopped) {
        again = false;
        try {
          await look();
          failing = false;
        } catch (error) {
          if (!failing) log.warn({ err: asError(error) }, "channels cannot be looked for now; this is tried again");
          failing = true;
        }
      }
    })().finally(() => {
      looking = undefined;
    });
  }

  const timer = setInterval(tick, interval * 1_000);
  timer.unref();
  tick();

  return {
    wake: tick,
    async stop() {
      stopped = true;
      clearInterval(timer);
      await looking;
      const all = [...kept.values()];
      for (const { over } of all) over.abort();
      await Promise.all(all.map(({ ended }) => ended));
    },
  };
}
