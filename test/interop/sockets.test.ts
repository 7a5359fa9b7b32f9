import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { addService, revokeClient } from "@aigw/core";
import { startTestGateway } from "../support/gateway.ts";
import { UNLIMITED } from "../support/prepared-home.ts";
import { pythonMissing, pythonRan, startPython } from "../support/python.ts";
import { within } from "../support/until.ts";
import { startSocketService } from "../support/websocket.ts";

/** Starting Python with FastAPI takes a second, on a busy machine several. */
const START_MS = 30_000;
const SCRIPT = join(import.meta.dirname, "sockets.py");

test("WebSockets of Python: its clients at its services and at one of Node", { skip: pythonMissing }, async (t) => {
  const gateway = await startTestGateway(t);
  const node = await startSocketService(t, { perMessageDeflate: true });
  const startPythonService = async (kind: string): Promise<string> => {
    const service = startPython([SCRIPT, kind]);
    t.after(() => service.kill("SIGKILL"));
    if (service.stdout === null) throw new Error("no output");
    const [port] = (await within(kind, once(createInterface(service.stdout), "line"), START_MS)) as [string];
    return `http://127.0.0.1:${port}`;
  };
  const [websockets, uvicorn] = await Promise.all([startPythonService("websockets"), startPythonService("uvicorn")]);
  for (const [kind, url] of Object.entries({ node: node.url, websockets, uvicorn })) {
    const { rev } = await addService(gateway.deps, { name: kind, url });
    await gateway.applied(rev);
  }
  for (const kind of ["node", "websockets", "uvicorn"]) {
    await t.test(kind, async () => {
      const token = await gateway.tokenFor(kind, UNLIMITED);
      const url = `${gateway.url.replace("http", "ws")}/api/${kind}/room`;
      const client = startPython([SCRIPT, "client", url, token]);
      t.after(() => client.kill("SIGKILL"));
      if (client.stdout === null) throw new Error("no output");
      const lines = createInterface(client.stdout)[Symbol.asyncIterator]();
      const next = async (): Promise<unknown> => (await within("a line", lines.next(), START_MS)).value;
      assert.equal(await next(), "open");
      await revokeClient(gateway.deps, kind);
      assert.equal(await next(), "1008 access has ended");
      assert.equal((await within("its end", lines.next(), START_MS)).done, true);
    });
  }
  pythonRan();
});
