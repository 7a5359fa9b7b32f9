import assert from "node:assert/strict";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { startTestGateway } from "../support/gateway.ts";
import { UNLIMITED } from "../support/prepared-home.ts";
import { pythonMissing, pythonRan, runPython } from "../support/python.ts";
import { startSocketService } from "../support/websocket.ts";

const SCRIPT = join(import.meta.dirname, "autobahn.py");
/** All but large messages, and compression by the thousand, which take minutes. */
const CASES = "*";
const WITHOUT = "9.*,12.*,13.*";

type Report = Readonly<Record<string, readonly [behavior: string, close: string]>>;

const run = async (url: string): Promise<Report> =>
  JSON.parse(await runPython([SCRIPT, url, CASES, WITHOUT], 120_000)) as Report;

/** The suite's client knows neither tokens nor paths: this puts both into its handshakes. */
const startRelay = async (t: TestContext, url: string, token: string): Promise<string> => {
  const port = Number(new URL(url).port);
  const server = createServer((client) => {
    const gateway = connect({ port, host: "127.0.0.1" });
    client.on("error", () => gateway.destroy());
    gateway.on("error", () => client.destroy());
    client.once("data", (bytes) => {
      const head = bytes
        .toString("latin1")
        .replace(/^GET \S* HTTP\/1\.1\r\n/, `GET /api/live HTTP/1.1\r\nAuthorization: Bearer ${token}\r\n`);
      gateway.write(head, "latin1");
      client.pipe(gateway);
    });
    gateway.pipe(client);
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  t.after(() => server.close());
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

test("the Autobahn test suite finds the same through the gateway as without it", { skip: pythonMissing }, async (t) => {
  const service = await startSocketService(t, { perMessageDeflate: true });
  const gateway = await startTestGateway(t, { services: { live: service.url } });
  const token = await gateway.tokenFor("john", UNLIMITED);
  const direct = await run(service.url.replace("http", "ws"));
  const before = service.seen.length;
  const through = await run(await startRelay(t, gateway.url, token));
  assert.ok(Object.keys(direct).length >= 240, `${Object.keys(direct).length} cases`);
  assert.equal(service.seen.length, 2 * before);
  assert.ok(service.seen.slice(before).every(({ headers }) => headers["x-client-id"] === "john"));
  assert.deepEqual(through, direct);
  assert.deepEqual(
    Object.entries(through).filter(([, [behavior]]) => behavior === "FAILED"),
    [],
  );
  t.diagnostic(`${Object.keys(through).length} cases`);
  pythonRan();
});
