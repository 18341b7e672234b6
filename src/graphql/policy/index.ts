import "./publish.ts";
import "./version.ts";
