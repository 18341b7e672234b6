import { renderGraphiQL } from "@graphql-yoga/render-graphiql";
import { OPENING_TABS } from "./graphiql-query.ts";

/**
 * Runs in the page before GraphiQL, and corrects it:
 *
 * - Its address stays that of the page. With operations in it, a reload would be taken for a GET query, and servers and proxies
 *   would log what somebody typed.
 * - When it finds the tabs of an earlier visit, it opens one more unless some tab is what was edited last, which it does not
 *   know of a visit without edits: it is told that this was the active tab.
 */
const SCRIPT = `
  history.replaceState = () => {};
  try {
    const { tabs, activeTabIndex } = JSON.parse(localStorage.getItem("graphiql:tabState"));
    localStorage.setItem("graphiql:query", tabs[activeTabIndex].query ?? "");
    localStorage.setItem("graphiql:variables", tabs[activeTabIndex].variables ?? "");
  } catch {
    // No earlier visit, or nothing that GraphiQL can read either.
  }`;

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
