import assert from "node:assert/strict";
import { test } from "node:test";
import { revokeClient } from "@aigw/core";
import { chromium } from "playwright-core";
import { CHROMIUM_FLAGS, findChromium } from "../support/chromium.ts";
import { startTestGateway } from "../support/gateway.ts";
import { startUpstream } from "../support/http.ts";
import { NEEDS, reportNeed } from "../support/needs.ts";
import { UNLIMITED } from "../support/prepared-home.ts";
import { until } from "../support/until.ts";
import { echo, startSocketService } from "../support/websocket.ts";

const executablePath = findChromium();
const skip = executablePath === undefined && "chromium was not found (install it, or set AIGW_CHROMIUM)";
if (skip) reportNeed(NEEDS.browser, skip);

/** Opens a socket; resolves to what the page sees of it. */
const SCRIPT = `
  const open = (url, protocols) => new Promise((settle) => {
    const socket = new WebSocket(url, protocols);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      window.socket = socket;
      window.ended = new Promise((end) => { socket.onclose = ({ code, reason }) => end(code + " " + reason); });
      settle("open " + socket.protocol);
    };
    socket.onclose = ({ code }) => settle("failed " + code);
  });
  const next = () => new Promise((settle) => { window.socket.onmessage = ({ data }) => settle(data); });
  const echoed = async (message) => {
    const answer = next();
    window.socket.send(message);
    return answer;
  };
  const large = async () => {
    const bytes = new Uint8Array(16 * 1024 * 1024).map((_, at) => at % 251);
    const back = new Uint8Array(await echoed(bytes));
    return back.length === bytes.length && back.every((byte, at) => byte === at % 251);
  };
`;

test("a web page opens a WebSocket", { skip }, async (t) => {
  const browser = await chromium.launch({ ...(executablePath && { executablePath }), args: [...CHROMIUM_FLAGS] });
  t.after(() => browser.close());
  /** Chooses `chat` where it is offered, and else nothing. */
  const service = await startSocketService(
    t,
    {
      perMessageDeflate: true,
      handleProtocols: (offered) => (offered.has("chat") ? "chat" : false),
    },
    echo,
  );
  const site = await startUpstream(t, (_request, response) => {
    response.setHeader("Content-Type", "text/html");
    response.end(`<!doctype html><title>A page</title><script>${SCRIPT}</script>`);
  });
  const gateway = await startTestGateway(t, { services: { live: service.url } });
  const token = await gateway.tokenFor("john", UNLIMITED);
  const page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  await page.goto(site.url);
  const url = `${gateway.url.replace("http", "ws")}/api/live/room`;
  const run = <T>(expression: string): Promise<T> => page.evaluate(expression) as Promise<T>;
  const open = (protocols: readonly string[]): Promise<string> =>
    run(`open(${JSON.stringify(url)}, ${JSON.stringify(protocols)})`);

  await t.test("not without a token, nor with a wrong one", async () => {
    assert.equal(await open([]), "failed 1006");
    assert.equal(await open(["bearer.nonsense", "chat"]), "failed 1006");
    assert.equal(service.seen.length, 0);
  });

  await t.test("a browser breaks off where none of the subprotocols that it offered is taken", async () => {
    const direct = `open(${JSON.stringify(service.url.replace("http", "ws"))}, ["other"])`;
    assert.equal(await run(direct), "failed 1006");
    await until("the service to know", () => service.closed.length === 1);
  });

  await t.test("with the token as the only subprotocol, which is then the one that is taken", async () => {
    assert.equal(await open([`bearer.${token}`]), `open bearer.${token}`);
    assert.equal(service.seen.at(-1)?.headers["sec-websocket-protocol"], undefined);
    assert.equal(await run("echoed('grüße')"), "grüße");
    assert.equal(await run("large()"), true);
    assert.match(await run("window.socket.extensions"), /permessage-deflate/);
    assert.equal(await run("(window.socket.close(4000, 'bye'), window.ended)"), "4000 bye");
  });

  await t.test("with the token beside others, in any order: the service chooses among those", async () => {
    for (const protocols of [
      [`bearer.${token}`, "chat"],
      ["chat", `bearer.${token}`],
    ]) {
      assert.equal(await open(protocols), "open chat");
      assert.equal(service.seen.at(-1)?.headers["sec-websocket-protocol"], "chat");
      await run("(window.socket.close(), window.ended)");
    }
    assert.equal(await open(["other", `bearer.${token}`]), `open bearer.${token}`, "the service took none");
    assert.equal(service.seen.at(-1)?.headers["sec-websocket-protocol"], "other");
  });

  await t.test("is told that its token has ended", async () => {
    await revokeClient(gateway.deps, "john");
    assert.equal(await run("window.ended"), "1008 access has ended");
  });
  reportNeed(NEEDS.browser, undefined);
});
