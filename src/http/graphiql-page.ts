import { renderGraphiQL } from "@graphql-yoga/render-graphiql";
import { OPENING_TABS } from "./graphiql-query.ts";

/**
 * Runs in the page before GraphiQL, and corrects it:
 *
 * - Its address stays that of the page. With operations in it, a reload would be taken for a GET query, and servers and proxies
 *   would log what somebody typed.
 * - When it finds stored tabs, it selects the one with the text that was edited last, and adds a tab when there is none. It
 *   stores both at different times, never the text of a visit without edits, and another window stores its own: it reads the
 *   text of the active tab instead. That happens when it reads, since the tabs may have changed since the page began to load.
 */
const SCRIPT = `
  history.replaceState = () => {};
  const { getItem } = Storage.prototype;
  const MEMBERS = { "graphiql:query": "query", "graphiql:variables": "variables" };
  Storage.prototype.getItem = function (key) {
    if (!Object.hasOwn(MEMBERS, key)) return getItem.call(this, key);
    try {
      const { tabs, activeTabIndex } = JSON.parse(getItem.call(this, "graphiql:tabState"));
      return tabs[activeTabIndex][MEMBERS[key]];
    } catch {
      // No earlier visit, or nothing that GraphiQL can read either: it opens the default tabs.
      return null;
    }
  };`;

/** While it loads, GraphiQL moves tabs away from under the pointer: a click on one is lost. */
const STYLE = ".graphiql-tab { transform: none !important }";

const ROOT = '<div id="root"></div>';

/** GraphiQL as a page of its own, which sends `token` (a browser session's cookie goes by itself). */
export function renderPage(token: string | undefined): string {
  const page = renderGraphiQL({
    title: "Countersign",
    defaultTabs: [...OPENING_TABS],
    endpoint: "/graphql",
    subscriptionsProtocol: "SSE",
    // Subscriptions too: the cookie of a browser session does not count for a GET.
    method: "POST",
    shouldPersistHeaders: false,
    credentials: "same-origin",
    ...(token === undefined ? {} : { additionalHeaders: { authorization: `Bearer ${token}` } }),
  });
  if (!page.includes(ROOT)) throw new Error("the page of GraphiQL is not the one that is corrected here");
  return page.replace(ROOT, () => `<style>${STYLE}</style><script>${SCRIPT}</script>${ROOT}`);
}
