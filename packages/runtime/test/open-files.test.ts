import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { prepareHome } from "../../../test/support/prepared-home.ts";
import { until } from "../../../test/support/until.ts";
import { attachGuard } from "../src/guard/attach-guard.ts";
import { boundConnections } from "../src/guard/bound-connections.ts";
import { SERVER_OPTIONS } from "../src/guard/server-options.ts";
import { OpenFiles } from "../src/open-files.ts";
import { answering, exchange, gateway, portOf, scriptedUpstream, within } from "./proxy-fixtures.ts";

const run = promisify(execFile);

test("without a descriptor neither the service nor the store is taken for broken, and later all is as before", async (t) => {
  const { home } = await prepareHome(t);
  const child = join(import.meta.dirname, "open-files-child.ts");
  const argv = ["-c", 'ulimit -n 48 && exec "$@"', "sh", process.execPath, child, `sqlite:${join(home, "aigw.db")}`];
  const { stdout } = await run("/bin/sh", argv, { timeout: 30_000 });
  const { before, without, after } = JSON.parse(stdout) as Record<string, unknown>;
  const refused = { kind: "fault", fault: "refused", code: "ECONNREFUSED" };
  assert.deepEqual(before, [refused, refused, "opened"]);
  const [address, name, store] = without as [{ fault: string }, { fault: string }, string];
  assert.deepEqual(
    [address.fault, name.fault],
    ["out_of_files", "out_of_files"],
    "also where the system finds no name",
  );
  assert.match(store, /^store_unavailable: .*no file descriptor.*ulimit -n/);
  assert.deepEqual(after, before);
});

test("a client is taken while there is room for its service, some more are answered, and the rest is dropped", () => {
  const openFiles = new OpenFiles(100);
  openFiles.measure();
  const { used: others } = openFiles;
  const room = Math.max(2, 100 - others - 16);
  const admissions = Array.from({ length: room }, () => openFiles.clientOpened());
  const served = admissions.filter((admission) => admission === "served").length;
  assert.equal(served, Math.floor(room / 2));
  for (let upstreams = 0; upstreams < room - served; upstreams += 1) {
    assert.ok(openFiles.mayOpen());
    openFiles.upstreamOpened();
  }
  assert.equal(openFiles.mayOpen(), false);
  for (const admission of admissions) openFiles.clientClosed(admission);
  for (let upstreams = 0; upstreams < room - served; upstreams += 1) openFiles.upstreamClosed();
  assert.equal(openFiles.used, others);
  const unknown = new OpenFiles(Number.POSITIVE_INFINITY);
  unknown.measure();
  assert.deepEqual([unknown.clientOpened(), unknown.mayOpen(), unknown.report()], ["served", true, {}]);
});

test("a call for which there is no descriptor: 503, refused by the gateway, and no fault of the service", async (t) => {
  const openFiles = new OpenFiles(1);
  openFiles.measure();
  const upstream = await scriptedUpstream(t, answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
  const gw = await gateway(t, upstream.origin, { openFiles });
  const text = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc";
  assert.equal((await exchange(t, gw.port, text)).status, 200);
  assert.equal((await gw.results.next("a result")).outcome, "ok");
  for (const { socket } of upstream.connections.all) socket.destroy();
  // Two there may be.
  openFiles.upstreamOpened();
  openFiles.upstreamOpened();
  const answer = await exchange(t, gw.port, text);
  assert.equal(answer.status, 503);
  assert.match(answer.head, /\r\nRetry-After: 5(\r\n|$)/);
  assert.equal(JSON.parse(answer.body).code, "unavailable");
  const { outcome, fault, status } = await gw.results.next("a result");
  assert.deepEqual([outcome, fault, status], ["denied", "out_of_files", 503]);
  assert.equal(upstream.connections.all.length, 1, "the service was not called");
});

test("refusals are counted each and logged once in ten seconds", () => {
  const lines: unknown[] = [];
  const log = { error: (facts: unknown) => lines.push(facts) };
  const openFiles = new OpenFiles(64, log as never);
  for (let count = 0; count < 1_000; count += 1) openFiles.countRefused();
  assert.equal(openFiles.refused, 1_000);
  assert.equal(lines.length, 1);
});

test("a connection whose request is read a second time is counted once", async (t) => {
  const openFiles = new OpenFiles(64);
  const server = createServer(SERVER_OPTIONS);
  boundConnections(server, openFiles, { code: "unavailable", detail: "No room." });
  const counts: number[] = [];
  attachGuard(server, {
    requestId: () => "req-1",
    handle: (_incoming, outgoing) => {
      counts.push(openFiles.used);
      outgoing.end("ok");
    },
  });
  server.listen(0, "127.0.0.1");
  await within(once(server, "listening"), "listening");
  t.after(() => server.close());
  const upgrade = "Connection: upgrade\r\nUpgrade: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  const { status } = await exchange(t, portOf(server), `POST / HTTP/1.1\r\nHost: a\r\n${upgrade}`);
  assert.equal(status, 200);
  assert.deepEqual(counts, [1]);
  await until("the connection's end", () => openFiles.used === 0);
});
