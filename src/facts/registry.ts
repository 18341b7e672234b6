import { ACTIONS } from "./areas/actions.ts";
import { BREAK_GLASS } from "./areas/break-glass.ts";
import { CHANNELS_AREA } from "./areas/channels.ts";
import { DELEGATIONS } from "./areas/delegations.ts";
import { DIRECTORY } from "./areas/directory.ts";
import { LEDGER } from "./areas/ledger.ts";
import { LINEAGE } from "./areas/lineage.ts";
import { POLICY_AREA } from "./areas/policy.ts";
import { READING } from "./areas/reading.ts";
import { REGIONS } from "./areas/regions.ts";
import { SESSIONS } from "./areas/sessions.ts";
import type { DraftOf, StateItem, ToldOf } from "./definition.ts";
import type { StoredEnvelope } from "./envelope.ts";
import type { Decoded, Written } from "./schema.ts";
import { createVocabulary } from "./vocabulary.ts";

/** What entries can say, an area a line. A new area adds its file and its line here. */
export const AREAS = [
  LEDGER,
  ACTIONS,
  LINEAGE,
  SESSIONS,
  DIRECTORY,
  POLICY_AREA,
  DELEGATIONS,
  BREAK_GLASS,
  CHANNELS_AREA,
  READING,
  REGIONS,
] as const;

type Area = (typeof AREAS)[number];
type Facts = Area["facts"][number];
type States = Area["states"][number];

export type FactType = Facts["type"];
export type StateKind = States["kind"];

/** The state of a thing of `Kind`, as the entries that move it have it. */
export type State<Kind extends StateKind> = StateItem<States, Kind>["state"];
/** A state among the `states` of an entry. */
export type StateOf<Kind extends StateKind = StateKind> = StateItem<States, Kind>;

/** A fact to be recorded, without the members that say who acted. One shape a type: anything else does not compile. */
export type FactDraft<Type extends FactType = FactType> = DraftOf<States, Extract<Facts, { readonly type: Type }>>;
/** The members that say who acted, as they are written; the encoder adds `id`. */
export type EnvelopeDraft = {
  readonly [Key in keyof StoredEnvelope as Exclude<Key, "id">]: Written<StoredEnvelope[Key]>;
};

/** A fact as it is read: erasable values in their places, undefined where they were erased. */
export type Fact<Type extends FactType = FactType> = ToldOf<States, Extract<Facts, { readonly type: Type }>> & {
  readonly [Key in keyof StoredEnvelope]: Decoded<StoredEnvelope[Key]>;
};

/** The same at run time. */
export const VOCABULARY = createVocabulary(AREAS);
export const FACT_TYPES: readonly FactType[] = AREAS.flatMap(({ facts }): readonly Facts[] => facts).map(
  ({ type }) => type,
);
