// After the bundle is written: compress text files once (the service sends them as they are) and keep the first load
// within its budget.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { Plugin, Rolldown } from "vite";

const TEXT = /\.(html|js|css|svg|json|webmanifest|txt)$/;

export interface Budget {
  /** Most compressed script (brotli, kB of 1000 bytes) that may be needed before the first screen works. */
  firstLoadKbMax: number;
}

function brotli(bytes: Uint8Array): Buffer {
  return brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
}

function files(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : [path];
  });
}

/** Entry, everything it imports statically, and the largest catalogue: each first screen loads one. */
function firstLoad(bundle: Rolldown.OutputBundle): Set<string> {
  const wanted = new Set<string>();
  const visit = (name: string) => {
    const chunk = bundle[name];
    if (chunk?.type !== "chunk" || wanted.has(name)) return;
    wanted.add(name);
    chunk.imports.forEach(visit);
  };
  for (const [name, chunk] of Object.entries(bundle)) {
    if (chunk.type !== "chunk") continue;
    if (chunk.isEntry || Object.keys(chunk.modules).some((id) => id.endsWith("ru.json?icu"))) visit(name);
  }
  return wanted;
}

export function finish(budget: Budget): Plugin {
  return {
    name: "finish",
    apply: "build",
    writeBundle(options, bundle) {
      const folder = options.dir ?? "";
      for (const path of files(folder)) {
        if (!TEXT.test(path)) continue;
        const bytes = readFileSync(path);
        writeFileSync(`${path}.br`, brotli(bytes));
        writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
      }
      const sizes = [...firstLoad(bundle)].map((name) => brotli(readFileSync(join(folder, name))).length);
      const kb = sizes.reduce((sum, size) => sum + size, 0) / 1000;
      const text = `first load: ${kb.toFixed(1)} kB of compressed script in ${String(sizes.length)} files`;
      if (kb > budget.firstLoadKbMax) {
        this.error(`${text}; the limit is ${String(budget.firstLoadKbMax)} kB`);
      }
      console.log(`${text} (limit ${String(budget.firstLoadKbMax)} kB)`);
    },
  };
}
