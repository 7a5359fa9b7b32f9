import assert from "node:assert/strict";
import { get, type IncomingMessage, request } from "node:http";
import { describe, it, type TestContext } from "node:test";
import { aigw, aigwJson, spawnAigw, startGatewayProcess } from "../support/aigw.ts";
import { bearer, send, startUpstream, tokenFor } from "../support/http.ts";
import { prepareHome, UNLIMITED } from "../support/prepared-home.ts";
import { until, within } from "../support/until.ts";

interface EventJson {
  id: string;
  at: string;
  client: string;
  service: string;
  method: string;
  path: string;
  status: number;
  latencyMs: number;
  upstreamMs: number | null;
  bytesIn: number;
  bytesOut: number;
  requestId: string;
  outcome: string;
  reason?: string;
}

const REFUSED = "http://127.0.0.1:9";

const setUp = async (t: TestContext) => {
  let uploaded = 0;
  const upstream = await startUpstream(t, (incoming, outgoing) => {
    const path = incoming.url?.split("?")[0];
    incoming.on("data", (chunk: Buffer) => {
      uploaded += chunk.length;
    });
    if (path === "/hang") return;
    if (path === "/broken") {
      outgoing.writeHead(200, { "Content-Length": "1000" });
      outgoing.write("half", () => setTimeout(() => outgoing.destroy(), 50));
    } else if (path === "/stream") {
      outgoing.writeHead(200, { "Content-Type": "text/event-stream" });
      outgoing.write("data: one\n\n");
    } else {
      incoming.on("end", () => {
        outgoing.statusCode = path === "/fails" ? 500 : 201;
        setTimeout(() => outgoing.end("0123456789"), path === "/slow" ? 200 : 0);
      });
    }
  });
  const { home, passwords } = await prepareHome(t, {
    services: { live: upstream.url, hasty: upstream.url, other: upstream.url, dead: REFUSED },
    clients: { john: { ...UNLIMITED, services: ["live", "hasty", "dead"] }, jane: { limit: 1 } },
  });
  await aigwJson(home, ["service", "set", "hasty", "--timeout", "200ms"]);
  const { url, child } = await startGatewayProcess(t, home);
  let log = "";
  child.stderr?.on("data", (text: string) => {
    log += text;
  });
  const tokens: Record<string, string> = {};
  for (const name of ["john", "jane"]) tokens[name] = await tokenFor(url, name, passwords[name] ?? "");
  const headersOf = (id: string, client: string): Record<string, string> => ({
    ...bearer(tokens[client] ?? ""),
    "X-Request-ID": id,
  });
  const call = (id: string, path: string, options: { client?: string; method?: string; body?: string } = {}) =>
    send(`${url}/api/${path}`, { ...options, headers: headersOf(id, options.client ?? "john") });
  const tail = async (...args: string[]): Promise<EventJson[]> => {
    const { code, stdout, stderr } = await aigw(home, ["usage", "tail", "--json", ...args]);
    assert.equal(code, 0, stderr);
    return stdout.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as EventJson]));
  };
  return { home, url, call, tail, headersOf, log: () => log, uploaded: () => uploaded };
};

const openStream = (url: string, headers: Record<string, string>): Promise<IncomingMessage> =>
  within(
    "the stream",
    new Promise((settle, reject) => {
      get(url, { headers, agent: false }, (response) => {
        response.on("error", () => undefined);
        response.once("data", () => settle(response));
      }).on("error", reject);
    }),
  );

/** @param arrived how much of it is there */
const abortUpload = async (url: string, headers: Record<string, string>, arrived: () => number): Promise<void> => {
  const before = arrived();
  const req = request(url, { method: "POST", headers, agent: false });
  req.on("error", () => undefined);
  req.write("12345");
  await until("the upload to arrive", () => arrived() === before + 5);
  req.destroy();
};

describe("usage", () => {
  it("records every outcome: bytes, status, latency, path without the query; tail filters and ends quietly", async (t) => {
    const { home, url, call, tail, headersOf, log, uploaded } = await setUp(t);
    const shownLines: string[] = [];
    const follow = spawnAigw(home, ["usage", "tail", "-f", "-n", "0", "--json"]);
    t.after(() => follow.child.kill("SIGKILL"));
    let unfinished = "";
    follow.child.stdout?.on("data", (text: string) => {
      const lines = `${unfinished}${text}`.split("\n");
      unfinished = lines.pop() ?? "";
      shownLines.push(...lines);
    });
    const shown = (id: string) => until(`${id} to be shown`, () => shownLines.some((line) => line.includes(`"${id}"`)));
    let warmUps = 0;
    await until("tail to follow", async () => {
      warmUps += 1;
      await call(`warm-up-${warmUps}`, "live");
      return shownLines.length > 0;
    });

    const since = new Date().toISOString();
    const answer = await call("ok", "live/slow?secret=1&x=/../", { method: "POST", body: "hello" });
    assert.deepEqual([answer.status, answer.body], [201, "0123456789"]);
    await shown("ok");
    const own: Record<string, number> = {};
    const refused = async (id: string, path: string, options: { client?: string } = {}): Promise<void> => {
      const { body } = await call(id, path, options);
      own[id] = Buffer.byteLength(body);
    };
    await refused("denied", "other/x?y=1");
    await refused("unknown", "nope");
    await call("last-permit", "live", { client: "jane" });
    await refused("limited", "live", { client: "jane" });
    await refused("unreachable", "dead/x");
    await call("upstream-500", "live/fails");
    await refused("timeout", "hasty/hang");
    await assert.rejects(call("incomplete", "live/broken"));
    (await openStream(`${url}/api/live/stream?q`, headersOf("aborted", "john"))).destroy();
    await abortUpload(`${url}/api/live/hang`, headersOf("aborted-upload", "john"), uploaded);
    await openStream(`${url}/api/live/stream`, headersOf("revoked", "john"));
    await aigwJson(home, ["client", "revoke", "john", "--yes"]);
    await refused("denied-401", "live/x");
    await shown("denied-401");

    const failure = /.*"requestId":"unreachable".*/.exec(log())?.[0] ?? "";
    assert.match(
      failure,
      /"level":"warn".*"service":"dead","reason":"refused","code":"ECONNREFUSED","msg":"upstream failed"/,
    );
    assert.doesNotMatch(log(), new RegExp(new URL(REFUSED).host), "nobody's address");
    assert.match(log(), /"requestId":"timeout","service":"hasty","reason":"answer_timeout","msg":"upstream failed"/);
    assert.doesNotMatch(log(), /"requestId":"(?:ok|aborted|upstream-500)"/, "no other call");

    const events = new Map((await tail("-n", "100")).map((event) => [event.requestId, event]));
    const reasons = [...events.values()].flatMap(({ requestId, reason }) => (reason ? [`${requestId} ${reason}`] : []));
    assert.deepEqual(reasons.sort(), [
      "denied-401 client_revoked",
      "incomplete too_few_bytes",
      "timeout answer_timeout",
      "unreachable refused",
    ]);
    const is = (id: string, outcome: string, status: number, path: string, bytesIn: number, bytesOut: number): void => {
      const event = events.get(id);
      assert.ok(event, id);
      assert.deepEqual(
        [event.outcome, event.status, event.path, event.bytesIn, event.bytesOut],
        [outcome, status, path, bytesIn, bytesOut],
        id,
      );
      assert.equal(event.service, status === 404 ? "" : path.split("/")[2], id);
    };
    is("ok", "ok", 201, "/api/live/slow", 5, 10);
    is("denied", "denied", 403, "/api/other/x", 0, own["denied"] ?? 0);
    is("unknown", "denied", 404, "/api/nope", 0, own["unknown"] ?? 0);
    is("last-permit", "ok", 201, "/api/live", 0, 10);
    is("limited", "limited", 429, "/api/live", 0, own["limited"] ?? 0);
    is("unreachable", "upstream_error", 502, "/api/dead/x", 0, own["unreachable"] ?? 0);
    is("upstream-500", "upstream_error", 500, "/api/live/fails", 0, 10);
    is("timeout", "timeout", 504, "/api/hasty/hang", 0, own["timeout"] ?? 0);
    is("incomplete", "incomplete", 200, "/api/live/broken", 0, 4);
    is("aborted", "aborted", 200, "/api/live/stream", 0, 11);
    is("aborted-upload", "aborted", 0, "/api/live/hang", 5, 0);
    is("revoked", "revoked", 200, "/api/live/stream", 0, 11);
    is("denied-401", "denied", 401, "/api/live/x", 0, own["denied-401"] ?? 0);
    const { at, client, method, latencyMs, upstreamMs } = events.get("ok") as EventJson;
    assert.deepEqual([client, method], ["john", "POST"]);
    assert.ok(latencyMs >= 190, `${latencyMs} ms`);
    assert.ok((upstreamMs ?? 0) >= 190 && (upstreamMs ?? 0) <= latencyMs, `${upstreamMs} ms`);
    assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.equal(events.get("unreachable")?.upstreamMs, null);
    assert.ok((events.get("timeout")?.latencyMs ?? 0) >= 200);
    assert.equal(events.size, 13 + warmUps);
    assert.ok(![...events.values()].some((event) => JSON.stringify(event).includes("secret=1")));

    const ids = (list: readonly EventJson[]): string[] => list.map(({ requestId }) => requestId);
    const [janes, hasty, refusals, ranged, recent, last] = await Promise.all([
      tail("--client", "jane"),
      tail("--service", "hasty"),
      tail("--status", "4xx"),
      tail("--status", "500-504", "--client", "john"),
      tail("--since", since, "-n", "100"),
      tail("-n", "2"),
    ]);
    assert.deepEqual(ids(janes), ["last-permit", "limited"]);
    assert.deepEqual(ids(hasty), ["timeout"]);
    assert.deepEqual(ids(refusals).sort(), ["denied", "denied-401", "limited", "unknown"]);
    assert.deepEqual(ids(ranged), ["unreachable", "upstream-500", "timeout"]);
    assert.equal(recent.length, 13);
    assert.deepEqual(ids(last).at(-1), "denied-401");
    assert.equal(last.length, 2);

    // The reader goes, as in `aigw usage tail -f | head`.
    follow.child.stdout?.destroy();
    let nudges = 0;
    const ended = await until("tail to end", async () => {
      nudges += 1;
      await call(`nudge-${nudges}`, "live", { client: "jane" });
      return Promise.race([follow.done, undefined]);
    });
    assert.deepEqual([ended.code, ended.stderr], [0, ""]);
  });
});
