/** What a browser fetches before the page is on the screen, gzipped; too much of it ends the build. */

import { readFileSync, statSync } from "node:fs";
import path from "node:path";

const PAGE = path.resolve(import.meta.dirname, "../../etl/api/page");
const MOST_BYTES = 240_000;

const index = readFileSync(path.join(PAGE, "index.html"), "utf8");
const named = [...index.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)].map(([, file]) => file ?? "");
if (!named.some((file) => file.endsWith(".js")) || !named.some((file) => file.endsWith(".css")))
  throw new Error("index.html names no script or no style: has the build changed how it writes it?");

const files = [...new Set(["index.html", ...named])];
const bytes = files.reduce((sum, file) => sum + statSync(path.join(PAGE, `${file}.gz`)).size, 0);
const verdict = `first load: ${(bytes / 1000).toFixed(1)} kB gzip in ${files.length} files, at most ${MOST_BYTES / 1000}\n`;
process.stdout.write(verdict);
if (bytes > MOST_BYTES) process.exitCode = 1;
