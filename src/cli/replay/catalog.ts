import { findTool, loadCatalog } from "../../domain/policy/catalog.ts";
import type { Effect } from "./step.ts";

/** The tools of a catalog file, to compare with the responses of the server. */
export interface CatalogEffects {
  readonly catalogFile: string;
  /** Undefined for a tool that is not listed, or not on that platform. */
  readonly effectOf: (platform: string, tool: string) => Effect | undefined;
}

/** Reads a catalog file. Throws ConfigurationError. */
export async function catalogEffects(file: string): Promise<CatalogEffects> {
  const catalog = await loadCatalog(file);
  return { catalogFile: file, effectOf: (platform, name) => findTool(catalog, platform, name)?.effect };
}
