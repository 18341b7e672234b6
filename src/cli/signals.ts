/** Numbers that a shell adds to 128 for a process that a signal ended (POSIX, signal.h). */
const NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const;

/** Has SIGINT and SIGTERM end the process as `exit` does, with what is registered for that: a built-in database is stopped. */
export function exitOnSignal(): void {
  for (const [name, number] of Object.entries(NUMBERS)) process.once(name, () => process.exit(128 + number));
}
