import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

interface PackageFacts {
  name: string;
  version: string;
  license?: string | { type?: string };
}

const LICENSE_FILE = /^(licen[cs]e|copying|notice)(\.|-|$)/i;

/** The folder of the npm package a module belongs to, or null for our own sources. */
export function packageFolder(moduleId: string): string | null {
  const path = moduleId.replace(/^\0+/, "").split("?")[0] ?? "";
  const at = path.lastIndexOf("/node_modules/");
  if (at < 0) return null;
  const rest = path.slice(at + "/node_modules/".length).split("/");
  const depth = rest[0]?.startsWith("@") ? 2 : 1;
  return path.slice(0, at) + "/node_modules/" + rest.slice(0, depth).join("/");
}

function entry(folder: string): [string, string] {
  const facts = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as PackageFacts;
  const kind = typeof facts.license === "string" ? facts.license : (facts.license?.type ?? "see the package");
  const texts = readdirSync(folder)
    .filter((name) => LICENSE_FILE.test(name))
    .sort()
    .map((name) => join(folder, name))
    .filter((path) => existsSync(path) && dirname(path) === folder)
    .map((path) => {
      try {
        return readFileSync(path, "utf8").replace(/\r\n/g, "\n").trim();
      } catch {
        return "";
      }
    })
    .filter(Boolean);
  const key = `${facts.name} ${facts.version}`;
  return [key, `${key}\nLicense: ${kind}\n\n${texts.join("\n\n") || "(the package carries no license text)"}\n`];
}

/** Emits the licences of every package that went into the bundle. */
export function thirdPartyLicenses(): Plugin {
  return {
    name: "third-party-licenses",
    apply: "build",
    generateBundle(_options, bundle) {
      const folders = new Set<string>();
      for (const file of Object.values(bundle)) {
        if (file.type !== "chunk") continue;
        for (const id of file.moduleIds) {
          const folder = packageFolder(id);
          if (folder) folders.add(folder);
        }
      }
      const entries = new Map([...folders].map(entry));
      const rule = "-".repeat(80) + "\n";
      const source = [...entries.keys()].sort().map((key) => entries.get(key)).join(rule);
      this.emitFile({
        type: "asset",
        fileName: "assets/THIRD_PARTY_LICENSES.txt",
        source: `Packages in the files of this folder, with their licenses.\n\n${rule}${source}`,
      });
    },
  };
}
