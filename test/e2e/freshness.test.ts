import assert from "node:assert/strict";
import { get, type IncomingMessage } from "node:http";
import { describe, it } from "node:test";
import { openSigningKey, revokeClient, rotateSecret, setClient } from "@aigw/core";
import { HostileStore } from "@aigw/core/testing";
import { issueToken, realmOf } from "@aigw/core/tokens";
import { JumpingClock, startTestGateway } from "../support/gateway.ts";
import { bearer, send, startEcho, startUpstream } from "../support/http.ts";
import { until, within } from "../support/until.ts";

/** The contract: a change is learned of within so long. */
const LOOKS_EVERY_MS = 250;

describe("what an admin has done", () => {
  it("is looked for before a token is refused that this gateway cannot know yet", async (t) => {
    const echo = await startEcho(t);
    const { url, deps, store, sealer, add } = await startTestGateway(t, { services: { echo: echo.url } });
    await add("john");
    const client = await store.control.client("john");
    assert.ok(client);
    const realm = realmOf(store.control.storeId);
    // As another gateway would sign it; time and again, because this one looks by itself 20 times a second.
    for (let round = 0; round < 8; round += 1) {
      const { key } = (await rotateSecret(deps)).result;
      const secret = openSigningKey(sealer, key) ?? assert.fail();
      const { token } = await issueToken(client, { ...key, secret }, realm, store.traffic.steadyNow());
      assert.equal((await send(`${url}/api/echo`, { headers: bearer(token) })).status, 200, `round ${round}`);
    }
  });

  it("is looked for four times a second at least, also while nobody calls", async (t) => {
    let counted: HostileStore | undefined;
    await startTestGateway(t, { through: (store) => (counted = new HostileStore(store)) });
    const looks = (): number => counted?.calls("control.head") ?? 0;
    const before = looks();
    await until("twelve looks", () => looks() - before >= 12, 12 * LOOKS_EVERY_MS);
  });

  it("is looked for first by a process that was suspended", async (t) => {
    const clock = new JumpingClock();
    const echo = await startEcho(t);
    const { url, deps, tokenFor } = await startTestGateway(t, { clock, services: { echo: echo.url, chat: echo.url } });
    const token = await tokenFor("john");
    // Time and again, because it looks by itself 20 times a second.
    for (let round = 0; round < 6; round += 1) {
      for (const [services, status] of [
        [["chat"], 403],
        [["echo"], 200],
      ] as const) {
        await setClient(deps, "john", { services: [...services] });
        clock.advance(1_000);
        assert.equal((await send(`${url}/api/echo`, { headers: bearer(token) })).status, status, `round ${round}`);
      }
    }
  });

  it("is looked at again when a call had to wait for its permit", async (t) => {
    const echo = await startEcho(t);
    let hostile: HostileStore | undefined;
    const started = await startTestGateway(t, {
      services: { echo: echo.url },
      through: (store) => (hostile = new HostileStore(store)),
    });
    const { url, deps, tokenFor } = started;
    const token = await tokenFor("john");
    const call = () => send(`${url}/api/echo`, { headers: bearer(token) });
    assert.equal((await call()).status, 200);
    hostile?.treat("traffic.setPermitWindow", { kind: "held" });
    const waiting = call();
    const asked = hostile?.calls("traffic.setPermitWindow") ?? 0;
    await until("the call to wait", () => (hostile?.calls("traffic.setPermitWindow") ?? 0) > asked);
    const { rev } = await revokeClient(deps, "john");
    await started.applied(rev);
    hostile?.calm();
    hostile?.release();
    assert.equal((await waiting).status, 401);
    assert.equal(echo.seen.length, 1, "nothing was forwarded");
  });

  it("has cut what it forbids before it is reported as in force", async (t) => {
    const endless = await startUpstream(t, (_incoming, outgoing) => outgoing.writeHead(200).write("first"));
    const open: Promise<number>[] = [];
    let revoked = Number.POSITIVE_INFINITY;
    let hostile: HostileStore | undefined;
    const started = await startTestGateway(t, {
      services: { live: endless.url },
      through: (store) => (hostile = new HostileStore(store)),
    });
    const { gateway, url, deps, store, tokenFor } = started;
    const openCalls = async (): Promise<number> => {
      const families = await gateway.metricFamilies();
      return families.find(({ name }) => name === "aigw_open_calls")?.values[0]?.value ?? Number.NaN;
    };
    const response = await within(
      "the stream",
      tokenFor("john").then(
        (token) => new Promise<IncomingMessage>((settle) => get(`${url}/api/live`, { headers: bearer(token) }, settle)),
      ),
    );
    const ended = new Promise((settle) => response.on("error", settle).resume());
    assert.equal(await openCalls(), 1);
    hostile?.treat("traffic.reportInstance", {
      kind: "instead",
      answer: async (real) => {
        await real();
        const [seen] = await store.traffic.instances(60_000);
        if (seen !== undefined && seen.appliedRev >= revoked) open.push(openCalls());
      },
    });
    revoked = (await revokeClient(deps, "john")).rev;
    await until("the report", () => open.length > 0);
    assert.equal(await open[0], 0);
    await within("the cut", ended);
  });
});
