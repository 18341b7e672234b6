import { closed, type GuardFact, identifier, type ReadRows, words } from "./fact.ts";

/** Settings that switch guards off, or what they rest on, with the values that do not. */
const SAFE: Readonly<Record<string, readonly string[]>> = {
  "countersign.migration": ["off", ""],
  allow_system_table_mods: ["off"],
  array_nulls: ["on"],
  default_table_access_method: ["heap"],
  default_transaction_isolation: ["read committed"],
  dynamic_library_path: ["$libdir"],
  event_triggers: ["on"],
  fsync: ["on"],
  full_page_writes: ["on"],
  ignore_checksum_failure: ["off"],
  ignore_system_indexes: ["off"],
  local_preload_libraries: [""],
  "plpgsql.variable_conflict": ["error"],
  row_security: ["on"],
  session_preload_libraries: [""],
  session_replication_role: ["origin"],
  standard_conforming_strings: ["on"],
  synchronous_commit: ["on", "local", "remote_write", "remote_apply"],
  transform_null_equals: ["off"],
  zero_damaged_pages: ["off"],
};

/** Decided by whoever starts the database process, whom no statement can stand in for, when they are on its command line. */
const DURABILITY = ["fsync", "full_page_writes"];

const EFFECTIVE = `
  SELECT s.name, s.reset_val AS value, s.source = 'command line' AS chosen
    FROM pg_catalog.pg_settings s WHERE s.name IN (${Object.keys(SAFE).map((name) => `'${name}'`)})
   UNION ALL
  SELECT 'countersign.migration', pg_catalog.current_setting('countersign.migration', true), false`;

interface Effective {
  readonly name: string;
  readonly value: string | null;
  readonly chosen: boolean;
}

const STORED = `
  SELECT s.setrole AS role, r.rolname AS name, s.setdatabase <> 0 AS here, s.setconfig AS settings
    FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
   WHERE s.setdatabase = 0
      OR s.setdatabase = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())`;

interface Stored {
  readonly role: number;
  readonly name: string | null;
  readonly here: boolean;
  readonly settings: readonly string[];
}

/**
 * Whether the value of a setting, as somebody wrote it, switches no guard off. PostgreSQL stores what was written: names and words in
 * any case, a switch as any beginning of a word for it, an empty list with quotes.
 */
export function isSafe(name: string, value: string): boolean {
  const values = SAFE[name.toLowerCase()];
  if (values === undefined) return true;
  const written = value.trim().toLowerCase();
  const plain = written === '""' ? "" : written;
  return values.includes(plain) || (isSwitch(values) && values.includes(switched(plain)));
}

const isSwitch = (values: readonly string[]) => values.includes("on") || values.includes("off");

/** `on`, `off`, or the text itself. As PostgreSQL's parse_bool: `o` alone could be either. */
function switched(text: string): string {
  if (text === "1" || text === "on" || (text !== "" && ["true", "yes"].some((word) => word.startsWith(text))))
    return "on";
  const isOff = text === "0" || (text.length > 1 && "off".startsWith(text));
  return isOff || (text !== "" && ["false", "no"].some((word) => word.startsWith(text))) ? "off" : text;
}

/** Facts about settings that weaken guards: those that connections get now, and those stored for the roles `concerned`. */
export async function readSettings(read: ReadRows, concerned: ReadonlySet<number>): Promise<readonly GuardFact[]> {
  const [effective, stored] = await read<[Effective, Stored]>(EFFECTIVE, STORED);
  const now = effective.flatMap(({ name, value, chosen }) =>
    value === null || isSafe(name, value) || (chosen && DURABILITY.includes(name)) ? [] : [`${name} is ${value}`],
  );
  const later = stored
    .filter(({ role }) => role === 0 || concerned.has(role))
    .flatMap(({ settings, name, here }) =>
      settings.flatMap((setting) => {
        const at = setting.indexOf("=");
        if (isSafe(setting.slice(0, at), setting.slice(at + 1))) return [];
        return [
          words(
            `set ${setting} for`,
            name === null ? "everybody" : `role ${identifier(name)}`,
            here && "in this database",
          ),
        ];
      }),
    );
  return [...new Set([...now, ...later])].map((fact) => closed("settings", fact));
}
