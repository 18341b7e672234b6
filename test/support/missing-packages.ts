// Prints the Debian packages that tests need and that are not installed, separated by spaces.
import { projectNames } from "../projects.ts";
import { missingPackages } from "./programs.ts";

console.log(projectNames.flatMap(missingPackages).join(" "));
