import assert from "node:assert/strict";
import { type IncomingMessage, request } from "node:http";
import { after, before, describe, it, type TestContext } from "node:test";
import { aigw, aigwJson, startGatewayProcess } from "../support/aigw.ts";
import { bearer, send, startUpstream, tokenFor } from "../support/http.ts";
import { prepareHome } from "../support/prepared-home.ts";
import { until, within } from "../support/until.ts";

/** The promise: refused and cut within a second. Measured from the command's end, which waits for the gateways. */
const CUT_WITHIN_MS = 1_000;

/** An upstream that streams events for ever, and one that reads uploads for ever. */
const startEndless = async (t: Pick<TestContext, "after">) => {
  const gone: string[] = [];
  let received = 0;
  const upstream = await startUpstream(t, (incoming, outgoing) => {
    outgoing.on("close", () => gone.push(incoming.url ?? ""));
    incoming.on("error", () => undefined);
    if (incoming.method === "POST") {
      incoming.on("data", (chunk: Buffer) => {
        received += chunk.length;
      });
      return;
    }
    if (incoming.url === "/quick") {
      outgoing.end("ok");
      return;
    }
    outgoing.writeHead(200, { "Content-Type": "text/event-stream" });
    const timer = setInterval(() => outgoing.write("data: tick\n\n"), 20);
    outgoing.on("close", () => clearInterval(timer));
  });
  return { ...upstream, gone, received: () => received };
};

const openStream = (url: string, token: string): Promise<{ response: IncomingMessage; ended: Promise<string> }> =>
  within(
    "the stream to open",
    new Promise((settle, reject) => {
      const req = request(url, { headers: bearer(token), agent: false });
      req.on("error", reject);
      req.on("response", (response) => {
        const ended = new Promise<string>((end) => {
          response.on("error", (error: NodeJS.ErrnoException) => end(`broken ${error.code}`));
          response.on("end", () => end("complete"));
        });
        response.once("data", () => settle({ response, ended }));
      });
      req.end();
    }),
  );

const openUpload = (url: string, token: string): { broken: Promise<string> } => {
  const req = request(url, { method: "POST", headers: bearer(token), agent: false });
  const timer = setInterval(() => req.write(Buffer.alloc(1024)), 20);
  const broken = new Promise<string>((settle) => {
    req.on("error", (error: NodeJS.ErrnoException) => settle(`broken ${error.code}`));
    req.on("response", (response) => {
      response.resume();
      settle(`status ${response.statusCode}`);
    });
  }).finally(() => {
    clearInterval(timer);
    req.destroy();
  });
  return { broken };
};

/** Two gateway processes on one home, with as many clients as asked for. */
const setUp = async (t: Pick<TestContext, "after">, names: readonly string[] = ["john"]) => {
  const upstream = await startEndless(t);
  const { home, passwords } = await prepareHome(t, {
    services: { live: upstream.url, other: upstream.url },
    clients: Object.fromEntries(names.map((name) => [name, { limit: 100_000 }])),
  });
  const gateways = await Promise.all([startGatewayProcess(t, home), startGatewayProcess(t, home)]);
  const password = passwords[names[0] ?? ""] ?? "";
  const token = await tokenFor(gateways[0].url, names[0] ?? "", password);
  return { home, upstream, passwords, password, gateways, token };
};

interface ReceiptJson {
  receipt: { complete: boolean; gateways: { id: string; appliedAfterMs: number }[] };
}

const ENDINGS: Readonly<Record<string, readonly string[]>> = {
  "client revoke": ["client", "revoke", "revoke", "--yes"],
  "client passwd": ["client", "passwd", "passwd", "--yes"],
  "client remove": ["client", "remove", "remove", "--yes"],
  "client set --services": ["client", "set", "set", "--services", "other"],
  // The last, because it ends everybody's tokens.
  "secret rotate": ["secret", "rotate", "--yes"],
};

/** Of the client's calls that are stored by now: a gateway stores them in batches, soon after they ended. */
const outcomesOf = async (home: string, client: string): Promise<readonly string[]> => {
  const { stdout } = await aigw(home, ["usage", "tail", "-n", "100", "--client", client, "--json"]);
  const lines = stdout.trim().split("\n");
  return lines.filter((line) => line !== "").map((line) => (JSON.parse(line) as { outcome: string }).outcome);
};

describe("every way of ending a client's right", () => {
  const cleanUps: (() => unknown)[] = [];
  let shared: Awaited<ReturnType<typeof setUp>>;
  before(async () => {
    const names = Object.keys(ENDINGS).map((what) => what.split(" ")[1] ?? "");
    shared = await setUp({ after: (cleanUp) => cleanUps.push(cleanUp as () => unknown) }, names);
  });
  after(async () => {
    for (const cleanUp of cleanUps.reverse()) await cleanUp();
  });

  for (const [what, command] of Object.entries(ENDINGS)) {
    it(`${what} is refused everywhere and cuts streams and uploads at both ends`, async () => {
      const { home, upstream, gateways, passwords } = shared;
      const name = what.split(" ")[1] ?? "";
      const token = await tokenFor(gateways[0].url, name, passwords[name] ?? "");
      const [goneBefore, receivedBefore] = [upstream.gone.length, upstream.received()];
      const streams = await Promise.all(gateways.map(({ url }) => openStream(`${url}/api/live/stream`, token)));
      const uploads = gateways.map(({ url }) => openUpload(`${url}/api/live/upload`, token));
      await until("the uploads to arrive", () => upstream.received() - receivedBefore > 2_000);

      const { receipt } = await aigwJson<ReceiptJson>(home, command);
      const start = performance.now();
      assert.equal(receipt.complete, true);
      assert.deepEqual(receipt.gateways.map(({ id }) => id).sort(), gateways.map(({ id }) => id).sort());
      for (const { appliedAfterMs } of receipt.gateways) assert.ok(appliedAfterMs < 1_000, `${appliedAfterMs} ms`);

      const ends = await within("the client's ends", Promise.all(streams.map(({ ended }) => ended)), CUT_WITHIN_MS);
      for (const end of ends) assert.match(end, /^broken/, "a cut stream must not look complete");
      for (const end of await within(
        "the uploads' ends",
        Promise.all(uploads.map(({ broken }) => broken)),
        CUT_WITHIN_MS,
      )) {
        assert.match(end, /^(broken|status 401)/);
      }
      await until("the upstream's ends", () => upstream.gone.length - goneBefore >= 4, CUT_WITHIN_MS);
      assert.ok(performance.now() - start < CUT_WITHIN_MS);

      const before = upstream.seen.length;
      for (const { url } of gateways) {
        const { status } = await send(`${url}/api/live/quick`, { headers: bearer(token) });
        assert.equal(status, what.includes("services") ? 403 : 401);
      }
      assert.equal(upstream.seen.length, before, "nothing is served afterwards");
      const cut = await until("the usage of the four cut calls", async () => {
        const outcomes = await outcomesOf(home, name);
        return outcomes.filter((outcome) => outcome === "revoked").length >= 4 && outcomes;
      });
      assert.equal(cut.filter((outcome) => outcome === "revoked").length, 4, cut.join());
    });
  }
});

// They wait for seconds and take little time.
describe("revocation, live", { concurrency: true }, () => {
  it("an account that expires is cut while it streams", async (t) => {
    const { home, upstream, gateways, token } = await setUp(t);
    const expires = new Date(Date.now() + 5_000).toISOString();
    const { ended } = await openStream(`${gateways[0].url}/api/live/stream`, token);
    await aigwJson(home, ["client", "set", "john", "--expires", expires]);
    assert.match(await within("the stream to be cut", ended, 10_000), /^broken/);
    await until("the upstream's end", () => upstream.gone.length === 1, CUT_WITHIN_MS);
    assert.equal((await send(`${gateways[1].url}/api/live/quick`, { headers: bearer(token) })).status, 401);
  });

  it("does not touch another client, and restore lets the first back in with a new token only", async (t) => {
    const { home, gateways, token, password } = await setUp(t);
    const [{ url }] = gateways;
    const jane = await aigwJson<{ password: string }>(home, ["client", "add", "jane"]);
    const { ended } = await openStream(`${url}/api/live/stream`, await tokenFor(url, "jane", jane.password));
    let janeEnded = false;
    void ended.then(() => {
      janeEnded = true;
    });
    await aigwJson(home, ["client", "revoke", "john", "--yes"]);
    await aigwJson(home, ["client", "restore", "john"]);
    assert.equal((await send(`${url}/api/live/quick`, { headers: bearer(token) })).status, 401);
    const again = await tokenFor(url, "john", password);
    assert.equal((await send(`${url}/api/live/quick`, { headers: bearer(again) })).status, 200);
    assert.equal(janeEnded, false);
  });

  it("names a gateway that does not answer, and exits 1; when it goes on, it serves nothing from before", async (t) => {
    const { home, upstream, gateways, token } = await setUp(t);
    const [stopped, running] = gateways;
    stopped.child.kill("SIGSTOP");
    t.after(() => stopped.child.kill("SIGCONT"));
    const result = await aigw(home, ["client", "revoke", "john", "--yes"]);
    assert.equal(result.code, 1, result.stderr);
    assert.ok(`${result.stdout}${result.stderr}`.includes(stopped.id), "it is named");
    assert.equal((await send(`${running.url}/api/live/quick`, { headers: bearer(token) })).status, 401);
    const served = upstream.seen.length;
    const pending = send(`${stopped.url}/api/live/quick`, { headers: bearer(token) });
    stopped.child.kill("SIGCONT");
    assert.equal((await pending).status, 401);
    assert.equal(upstream.seen.length, served);
  });
});
