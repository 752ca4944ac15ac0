import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";
import { finish } from "./build/finish.ts";
import { icu } from "./build/icu.ts";

// Where `npm run dev` finds the ticket service; the browser sees one origin, as in production.
const service = process.env["GUICHET_SERVICE"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [icu(), svelte(), finish({ firstLoadKbMax: 150 })],
  build: {
    outDir: "../dist/operator",
    emptyOutDir: true,
    target: "es2023",
    // An inlined file would need `data:` in the content policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    proxy: {
      "/api": {
        target: service,
        // The service takes cookie writes from its own origin only, and here that is this server.
        configure: (proxy) => {
          proxy.on("proxyReq", (request) => {
            if (request.getHeader("origin") !== undefined) request.setHeader("origin", service);
          });
        },
      },
      "/request": service,
    },
  },
  test: { include: ["src/**/*.test.ts", "build/**/*.test.ts"], environment: "node" },
});
