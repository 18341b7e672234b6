/** What a test needs of a browser: cookies, redirects, and the headers a page cannot choose for itself. */
export interface Browser {
  /** One request with the cookies that belong to it; redirects are left to the caller. */
  request(url: string | URL, init?: BrowserRequest): Promise<Response>;
  /** Follows redirects of GETs until an answer that is none, or until the next address begins with `until`. */
  open(url: string | URL, init?: BrowserRequest, until?: string): Promise<Visit>;
  /** The value of a cookie that would be sent to `url`. */
  cookie(url: string | URL, name: string): string | undefined;
  /** What the server said about each cookie when it set it last, by name: attributes as sent. */
  readonly attributes: ReadonlyMap<string, string>;
  setCookie(url: string | URL, name: string, value: string): void;
}

export interface BrowserRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | URLSearchParams;
}

export interface Visit {
  /** Where the browser ended up; the address that begins with `until` was not asked for. */
  readonly url: URL;
  readonly response: Response;
}

interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly host: string;
  readonly path: string;
}

const MAX_REDIRECTS = 20;
const USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0";

export function openBrowser(): Browser {
  const jar = new Map<string, Cookie>();
  const attributes = new Map<string, string>();

  const belonging = (url: URL) =>
    [...jar.values()].filter(({ host, path }) => host === url.hostname && pathMatches(url.pathname, path));

  function keep(url: URL, line: string): void {
    const [pair = "", ...rest] = line.split(/;\s*/);
    const at = pair.indexOf("=");
    const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
    const attribute = (wanted: string) =>
      rest.find((one) => one.toLowerCase().startsWith(`${wanted}=`))?.slice(wanted.length + 1);
    const path = attribute("path") ?? url.pathname.replace(/\/[^/]*$/, "") ?? "/";
    const key = `${url.hostname} ${path} ${name}`;
    const expires = attribute("expires");
    const maxAge = attribute("max-age");
    const over =
      maxAge === undefined ? expires !== undefined && Date.parse(expires) <= Date.now() : Number(maxAge) <= 0;
    if (over) jar.delete(key);
    else
      jar.set(key, {
        name,
        value,
        host: url.hostname,
        path: path === "" ? "/" : path,
      });
    attributes.set(name, rest.join("; "));
  }

  async function request(to: string | URL, init: BrowserRequest = {}): Promise<Response> {
    const url = new URL(to);
    const headers = new Headers({ "user-agent": USER_AGENT, ...init.headers });
    const cookies = belonging(url).map(({ name, value }) => `${name}=${value}`);
    if (cookies.length > 0) headers.set("cookie", cookies.join("; "));
    const response = await fetch(url, { ...init, headers, redirect: "manual" });
    for (const line of response.headers.getSetCookie()) keep(url, line);
    return response;
  }

  return {
    request,
    attributes,
    async open(to, init = {}, until) {
      let url = new URL(to);
      let response = await request(url, init);
      for (let hops = 0; hops < MAX_REDIRECTS; hops += 1) {
        const location = response.headers.get("location");
        if (location === null || response.status < 300 || response.status > 399) return { url, response };
        await response.body?.cancel();
        url = new URL(location, url);
        if (until !== undefined && url.href.startsWith(until)) return { url, response };
        response = await request(url);
      }
      throw new Error(`more than ${MAX_REDIRECTS} redirects, the last to ${url.origin}${url.pathname}`);
    },
    cookie: (url, name) => belonging(new URL(url)).find((one) => one.name === name)?.value,
    setCookie: (url, name, value) => keep(new URL(url), `${name}=${value}; Path=/`),
  };
}

/** RFC 6265, section 5.1.4. */
function pathMatches(path: string, of: string): boolean {
  return path === of || (path.startsWith(of) && (of.endsWith("/") || path[of.length] === "/"));
}
