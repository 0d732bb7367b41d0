import path from "node:path";
import { defineConfig } from "vite";
import page from "../vite.config";

/** The page's own build, of another entry and to another place. */
export default defineConfig({
  ...page,
  root: import.meta.dirname,
  build: { ...page.build, outDir: path.resolve(import.meta.dirname, "../node_modules/.perf"), emptyOutDir: true },
});
