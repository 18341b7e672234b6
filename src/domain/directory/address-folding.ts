import type { LedgerEntry } from "../../facts/entry.ts";
import { asciiDomain, type Folding } from "../identity/addresses.ts";
import type { Caller, Principal } from "../identity/principal.ts";
import type { Changes } from "./changes.ts";
import { refuse } from "./errors.ts";
import type { Projections } from "./projections.ts";
import { ORGANIZATION_ID } from "./record.ts";

/** The setting of an organization that says which e-mail addresses are taken for one mailbox. */
export interface AddressFolding {
  /** Throws LedgerUnavailableError. */
  addressFolding(viewer: Principal): Promise<Folding>;
  /** For administrators. Throws DirectoryRefusal, LedgerUnavailableError. */
  setAddressFolding(
    caller: Caller,
    folding: Folding,
  ): Promise<{ readonly folding: Folding; readonly entry: LedgerEntry }>;
}

const MAX_DOMAINS = 100;

export function createAddressFolding(changes: Changes, projections: Projections): AddressFolding {
  return {
    async addressFolding({ organization }) {
      return (await projections.open(organization)).folding;
    },
    async setAddressFolding(caller, wanted) {
      let folding = wanted;
      const { entry } = await changes.administer(caller, (organization) => {
        folding = checked(wanted);
        if (JSON.stringify(folding) === JSON.stringify(checked(organization.folding))) {
          throw refuse("NOTHING_CHANGED", "this is the setting already");
        }
        const states = [organization.next("ORGANIZATION", ORGANIZATION_ID, { addresses: folding })] as const;
        return { type: "SETTINGS_CHANGED", states };
      });
      return { folding, entry };
    },
  };
}

/** The setting with its domains in ASCII, in order. */
function checked({ providers, domains }: Folding): Folding {
  if (domains.length > MAX_DOMAINS) throw refuse("INVALID_INPUT", `must be at most ${MAX_DOMAINS} domains`, "domains");
  const found = domains.map(({ domain, plus, dots }) => {
    const ascii = asciiDomain(domain);
    if (ascii === undefined) {
      throw refuse("INVALID_INPUT", "must be the domain of e-mail addresses, such as acme.example", "domains");
    }
    return { domain: ascii, plus, dots };
  });
  if (new Set(found.map(({ domain }) => domain)).size < found.length) {
    throw refuse("INVALID_INPUT", "must name each domain once", "domains");
  }
  return { providers, domains: found.sort((one, other) => (one.domain < other.domain ? -1 : 1)) };
}
