import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { addService } from "@aigw/core";
import { startTestGateway } from "../support/gateway.ts";
import { bearer, send } from "../support/http.ts";
import { pythonMissing, pythonRan, startPython } from "../support/python.ts";
import { until, within } from "../support/until.ts";

/** Starting Python with FastAPI takes a second, on a busy machine several. */
const START_MS = 30_000;

/** Ways to run an application: as it is, told its root path, believing X-Forwarded-*, with absolute redirects only. */
const KINDS = ["fastapi", "fastapi-root-path", "flask", "flask-proxyfix", "flask-absolute"] as const;

test("redirects of FastAPI and Flask arrive through the gateway", { skip: pythonMissing }, async (t) => {
  const gateway = await startTestGateway(t, { env: { AIGW_TRUST_PROXY: "loopback" } });
  const ports = await Promise.all(
    KINDS.map(async (kind) => {
      const service = startPython([join(import.meta.dirname, "redirecting.py"), kind]);
      t.after(() => service.kill("SIGKILL"));
      if (service.stdout === null) throw new Error("no output");
      const [port] = (await within(kind, once(createInterface(service.stdout), "line"), START_MS)) as [string];
      return [kind, port] as const;
    }),
  );
  const token = await gateway.tokenFor("john", { limit: 1_000 });

  for (const [kind, port] of ports) {
    await t.test(kind, async () => {
      // One name for all, because an application has to be told its root path before it starts.
      await addService(gateway.deps, { name: `app-${kind}`, url: `http://127.0.0.1:${port}` });
      const base = `${gateway.url}/api/app-${kind}`;
      await until("the service", async () => (await send(`${base}/items/`, { headers: bearer(token) })).status === 200);
      /** @returns the answer's address fields, and what a client finds that follows it */
      const follow = async (method: string, path: string): Promise<{ fields: string; arrived: string; at: string }> => {
        const answer = await send(base + path, { method, headers: bearer(token) });
        assert.match(String(answer.status), /^30[378]$/);
        const { location = "", refresh = "", "set-cookie": cookies = [] } = answer.headers;
        const fields = [location, refresh, ...cookies].join("\n");
        const at = new URL(location, base + path).href;
        const next = await send(at, { headers: bearer(token) });
        return { fields, arrived: `${next.status} ${next.body}`, at };
      };

      const slash = await follow("GET", "/items");
      assert.match(slash.arrived, /^200 "?the items"?$/);
      assert.equal(slash.at, `${base}/items/`);
      assert.ok(!slash.fields.includes(port), slash.fields);

      // Behind a proxy that does TLS: Uvicorn and ProxyFix believe what they are told of it, and say so.
      const proxied = { ...bearer(token), "X-Forwarded-Proto": "https", "X-Forwarded-Host": "ai.example.com" };
      const { headers } = await send(`${base}/items`, { headers: proxied });
      assert.equal(headers.location, `/api/app-${kind}/items/`);

      const other = kind.startsWith("fastapi") ? await follow("GET", "/start") : await follow("POST", "/jobs");
      assert.match(other.arrived, kind.startsWith("fastapi") ? /^200 "the items"$/ : /^200 job 7$/);
      assert.ok(!other.fields.includes(port) && !/127\.0\.0\.1/.test(other.fields), other.fields);
      assert.match(other.fields, /\/api\/app-/);
      if (kind.startsWith("fastapi")) return;
      assert.match(other.fields, new RegExp(`hosted=1; Path=/api/app-${kind}/jobs$`, "m"));
      assert.match(other.fields, new RegExp(`session=.*; HttpOnly; Path=/api/app-${kind}$`, "m"));
    });
  }
  pythonRan();
});
