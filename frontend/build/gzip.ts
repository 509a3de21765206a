import { gzipSync } from "node:zlib";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Plugin, ResolvedConfig } from "vite";

const LARGE_BYTES = 16 * 1024;
const WORTH_IT = /\.(js|css|html|txt|svg|json)$/;

/** Writes `<name>.gz` beside each large text file, so that the API can serve it compressed without doing the work itself. */
export function gzipBesideLargeFiles(): Plugin {
  let config: ResolvedConfig;
  return {
    name: "gzip-beside-large-files",
    apply: "build",
    enforce: "post",
    configResolved(resolved) {
      config = resolved;
    },
    closeBundle() {
      const root = resolve(config.root, config.build.outDir);
      for (const name of readdirSync(root, { recursive: true }) as string[]) {
        const path = join(root, name);
        if (!WORTH_IT.test(name) || statSync(path).size < LARGE_BYTES) continue;
        const packed = gzipSync(readFileSync(path), { level: 9 });
        packed[9] = 255; // the byte that names the operating system: the same on every machine
        writeFileSync(`${path}.gz`, packed);
      }
    },
  };
}
