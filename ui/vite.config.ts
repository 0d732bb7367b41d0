import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const COMPRESSED = /\.(js|css|svg|html)$/;
const AUTHOR_LANGUAGE = "en-US";

/** The page speaks English: React Aria's other 33 languages would be a fifth of the first load. */
function onlyOneLanguage(): Plugin {
  return {
    name: "only-one-language",
    enforce: "pre",
    load(id) {
      const locale = /react-(?:aria|stately|aria-components)\/dist\/.*\/([a-z]{2}-[A-Z]{2})\.m?js$/.exec(id)?.[1];
      return locale && locale !== AUTHOR_LANGUAGE ? "export default {}" : null;
    },
  };
}

/** Beside each file its gzip and brotli, so that the server only chooses. */
function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    writeBundle({ dir }) {
      if (!dir) return;
      for (const name of readdirSync(dir, { recursive: true, encoding: "utf8" })) {
        if (!COMPRESSED.test(name)) continue;
        const file = path.join(dir, name);
        const content = readFileSync(file);
        writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }));
        const quality = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
        writeFileSync(`${file}.br`, brotliCompressSync(content, { params: quality }));
      }
    },
  };
}

export default defineConfig({
  plugins: [onlyOneLanguage(), react(), compressed()],
  resolve: { alias: { "~": path.resolve(import.meta.dirname, "src") } },
  server: { port: 8401, proxy: { "/api": process.env.ETL_PAGE_API ?? "http://127.0.0.1:8400" } },
  build: {
    outDir: "../etl/api/page",
    emptyOutDir: true,
    target: "es2023",
    cssTarget: ["chrome123", "firefox121", "safari17.5"],
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    // one file for what is needed first: two dozen small ones would neither pack nor arrive as well
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: "first", tags: ["$initial"] }] } } },
  },
  test: {
    testTimeout: 20_000, // machines with more to do than this
    environment: "jsdom",
    setupFiles: ["src/test/setup.ts"],
    css: { modules: { classNameStrategy: "non-scoped" } },
  },
});
