import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { gzipBesideLargeFiles } from "./build/gzip.ts";
import { thirdPartyLicenses } from "./build/licenses.ts";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Packages that the first frame needs; every other package belongs to the map and loads after it. */
const FIRST_FRAME = /node_modules\/(react|react-dom|scheduler|uplot)\/|vite\/preload-helper/;

export default defineConfig({
  base: "/",
  resolve: {
    dedupe: ["react", "react-dom", "styled-components", "h3-js"],
    alias: [
      // Kepler.gl asks for Mapbox's library by name; nobody uses its styles here, so MapLibre answers for both.
      { find: /^mapbox-gl$/, replacement: "maplibre-gl" },
      // Readers of file formats that the dashboard never opens, 5.5 MB of WebAssembly among them.
      { find: /^@loaders\.gl\/parquet$/, replacement: at("./build/empty.js") },
      // It compiles WebAssembly as soon as it is loaded, which a strict content security policy forbids.
      { find: /^meshoptimizer(\/.*)?$/, replacement: at("./build/empty.js") },
      { find: /^assert$/, replacement: at("./build/empty.js") },
      { find: /^moment-timezone$/, replacement: "moment-timezone/builds/moment-timezone-with-data-10-year-range.js" },
    ],
  },
  define: { "process.env": "{}", global: "globalThis" },
  plugins: [thirdPartyLicenses(), gzipBesideLargeFiles()],
  build: {
    target: "es2022",
    // light-dark() as it is written: rewritten as variables it would no longer follow each element's own scheme.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 12_000,
    rolldownOptions: {
      input: { landing: at("./index.html"), dashboard: at("./dashboard.html") },
      output: {
        // Names without a hash: the built files are committed, and a changed file should be a changed line in the history, not a rename.
        entryFileNames: "assets/[name].js",
        chunkFileNames: "assets/[name].js",
        assetFileNames: "assets/[name][extname]",
        codeSplitting: {
          groups: [
            { name: "react-vendor", test: FIRST_FRAME, priority: 3 },
            { name: "h3-vendor", test: /node_modules\/h3-js\//, priority: 2 },
            { name: "kepler-vendor", test: /node_modules\/|build\/empty\.js/, priority: 1 },
            { name: "shared", test: /\/src\/(data|shared|texts|palette|base|map\/view)/, priority: 1 },
          ],
        },
      },
    },
  },
  server: {
    host: "127.0.0.1",
    proxy: { "/api": "http://127.0.0.1:5000", "/ws": { target: "ws://127.0.0.1:5000", ws: true } },
  },
  test: { include: ["tests/**/*.test.ts"], environment: "node" },
} as never);
