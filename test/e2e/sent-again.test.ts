import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { test } from "node:test";
import { setService } from "@aigw/core";
import { startTestGateway } from "../support/gateway.ts";
import { startUpstream } from "../support/http.ts";
import { within } from "../support/until.ts";

test("what is sent again to another target is all there, also when it came in one large piece", async (t) => {
  const head = Promise.withResolvers<void>();
  const first = await startUpstream(t, (incoming) => {
    head.resolve();
    // Once the system has taken it all, which is when a piece that was passed on gives its memory back.
    incoming.resume().on("end", () => setTimeout(() => incoming.socket.destroy(), 50));
  });
  let received = Buffer.alloc(0);
  const second = await startUpstream(t, (incoming, response) => {
    incoming.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
    });
    incoming.on("end", () => response.end("ok"));
  });
  const gateway = await startTestGateway(t, { services: { ocr: first.url } });
  const { rev } = await setService(gateway.deps, "ocr", { addTargets: [second.url], timeoutMs: 2_000 });
  const token = await gateway.tokenFor("ann");
  await gateway.applied(rev);
  // Node reads up to 64 KiB at once: a body that is read alone, and fills that, has memory of its own.
  const body = Buffer.alloc(65_536, "a");
  const outgoing = request(`${gateway.url}/api/ocr/x`, {
    method: "PUT",
    agent: false,
    headers: { Authorization: `Bearer ${token}`, "Content-Length": String(body.length) },
  });
  outgoing.flushHeaders();
  await within("the head at the first target", head.promise);
  outgoing.end(body);
  const [answer] = await within("an answer", once(outgoing, "response"));
  assert.equal(answer.statusCode, 200);
  assert.ok(received.equals(body), `${received.length} bytes`);
  answer.resume();
});
