import "./publish.ts";
import "./shadow.ts";
import "./simulate.ts";
import "./version.ts";
