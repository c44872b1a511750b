// Bundles the page into a folder: `node build.mjs [outdir]`, `dist` unless told.
import { cp, mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? join(here, "dist"));

await mkdir(out, { recursive: true });
await Promise.all([
  build({
    entryPoints: [
      { in: join(here, "src/main.ts"), out: "page" },
      { in: join(here, "src/styles/page.css"), out: "page" },
    ],
    outdir: out,
    bundle: true,
    format: "esm",
    target: ["es2022", "chrome105", "firefox121", "safari16.4"],
    minify: true,
    legalComments: "none",
    logLevel: "warning",
  }),
  ...["index.html", "favicon.svg"].map((name) => cp(join(here, "src", name), join(out, name))),
]);
