import assert from "node:assert/strict";
import { createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, it, type TestContext } from "node:test";
import { addService, setPassword, setService } from "@aigw/core";
import { aJob } from "@aigw/core/testing";
import { startTestGateway } from "../support/gateway.ts";
import { startUpstream, tokenFor } from "../support/http.ts";
import { type JobClient, jobClient } from "../support/jobs.ts";
import { allUsage, UNLIMITED } from "../support/prepared-home.ts";
import { until } from "../support/until.ts";

interface Told {
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  readonly url: string | undefined;
}

/** A real receiver. @param answer of the n-th request, from 0 */
const receiver = async (t: TestContext, answer: (index: number, response: ServerResponse) => void) => {
  const told: Told[] = [];
  const { url } = await startUpstream(t, (request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      told.push({ headers: request.headers, body, url: request.url });
      answer(told.length - 1, response);
    });
  });
  return { url, told };
};

const scene = async (
  t: TestContext,
  origins: readonly string[],
  answer: (response: ServerResponse) => void = (response) => response.end("answer"),
) => {
  const service = await startUpstream(t, (_request, response) => answer(response));
  const gateway = await startTestGateway(t);
  const { rev } = await addService(gateway.deps, {
    name: "whisper",
    url: service.url,
    jobs: { on: true, callbackOrigins: origins },
  });
  await gateway.applied(rev);
  const token = await gateway.tokenFor("john", UNLIMITED);
  return { gateway, service, john: jobClient(gateway.url, token) };
};

const submit = (john: JobClient, callback: string): Promise<string> =>
  john.submit("/api/whisper/x", { headers: { Prefer: `respond-async, callback="${callback}"` } });

const keyOf = async (john: JobClient): Promise<string> =>
  (JSON.parse((await john.get("/jobs/callback-key")).body) as { key: string }).key;

/** As https://github.com/standard-webhooks/standard-webhooks says, and nothing of ours. */
const verifies = (key: string, { headers, body }: Told): boolean => {
  const id = String(headers["webhook-id"]);
  const timestamp = String(headers["webhook-timestamp"]);
  assert.ok(Math.abs(Date.now() / 1000 - Number(timestamp)) < 300);
  const secret = Buffer.from(key.slice("whsec_".length), "base64");
  const expected = createHmac("sha256", secret).update(`${id}.${timestamp}.${body}`).digest();
  return String(headers["webhook-signature"])
    .split(" ")
    .some((one) => {
      const [version, signature = ""] = one.split(",");
      const given = Buffer.from(signature, "base64");
      return version === "v1" && given.length === expected.length && timingSafeEqual(given, expected);
    });
};

describe("a job's call-back", () => {
  it("is tried again until it is taken, signed so that the client can tell, with nothing of the answer in it", async (t) => {
    const { url, told } = await receiver(t, (index, response) => {
      response.statusCode = index < 2 ? 500 : 204;
      response.end();
    });
    const { john } = await scene(t, [url]);
    const id = await submit(john, `${url}/hook?token=s3cret`);
    await until("the third try", () => told.length === 3);
    const shown = await until("it to be noted", async () => {
      const job = await john.show(id);
      return job.callback?.delivered_at !== undefined && job;
    });
    assert.equal(shown.callback?.tries, 3);
    const key = await keyOf(john);
    assert.match(key, /^whsec_[A-Za-z0-9+/]{43}=$/);
    for (const one of told) {
      assert.ok(verifies(key, one));
      assert.equal(one.url, "/hook?token=s3cret");
      assert.equal(one.headers["webhook-id"], told[0]?.headers["webhook-id"]);
      const { type, data } = JSON.parse(one.body) as { type: string; data: Record<string, unknown> };
      assert.equal(type, "job.done");
      assert.equal(data["id"], id);
      assert.equal(data["status"], 200);
      assert.match(String(data["result"]), new RegExp(`^http.*/jobs/${id}/result$`));
      assert.equal(one.body.includes("answer"), false);
    }
    assert.equal(verifies(`whsec_${Buffer.alloc(32).toString("base64")}`, told[0] as Told), false);
  });

  it("goes nowhere else: not to an origin that is not allowed, not behind a redirect, not when it is taken away", async (t) => {
    const other = await receiver(t, (_index, response) => response.end());
    const { url, told } = await receiver(t, (_index, response) =>
      response.writeHead(307, { Location: `${other.url}/elsewhere` }).end(),
    );
    const { john, service, gateway } = await scene(t, [url]);
    const port = new URL(url).port;
    for (const callback of [
      `${other.url}/x`,
      `${url}@evil.example/`,
      `http://user:secret@127.0.0.1:${port}/`,
      `${url}/x#fragment`,
      `http://localhost:${port}/`,
      "/relative",
      "file:///etc/passwd",
      "",
    ]) {
      const refused = await john.ask("/api/whisper/x", {
        headers: { Prefer: `respond-async, callback="${callback}"` },
      });
      assert.deepEqual(
        [refused.status, (JSON.parse(refused.body) as { code: string }).code],
        [400, "invalid_request"],
        callback,
      );
    }
    assert.equal(service.seen.length, 0);
    const id = await submit(john, `${url}/hook`);
    await until("a try", () => told.length > 0);
    const problem = await until("it to be noted", async () => (await john.show(id)).callback?.problem);
    assert.equal(problem, "307");
    const { rev } = await setService(gateway.deps, "whisper", { jobs: { callbackOrigins: [] } });
    await gateway.applied(rev);
    const before = told.length;
    await until("it to be refused", async () => (await john.show(id)).callback?.problem === "not_allowed");
    assert.ok(told.length <= before + 1);
    assert.deepEqual(other.told, []);
    const events = await until("the events", async () => {
      const all = await allUsage(gateway.store);
      return all.some(({ outcome }) => outcome === "ok") && all;
    });
    assert.equal(
      events.filter(({ outcome }) => outcome === "denied").reduce((sum, { count = 1 }) => sum + count, 0),
      8,
    );
  });

  it("ends when the receiver is gone for good; a new password makes another key, and the old one verifies what was asked for before", async (t) => {
    const { url, told } = await receiver(t, (index, response) => {
      response.statusCode = index === 0 ? 503 : 410;
      response.end();
    });
    const { john, gateway } = await scene(t, [url]);
    const before = await keyOf(john);
    const id = await submit(john, `${url}/hook`);
    await until("the first try", () => told.length === 1);
    const { result } = await setPassword(gateway.deps, "john");
    const again = jobClient(gateway.url, await tokenFor(gateway.url, "john", result.password));
    const after = await keyOf(again);
    assert.notEqual(after, before);
    await until("the second try", () => told.length === 2);
    const [, second] = told;
    for (const key of [before, after]) assert.ok(verifies(key, second as Told));
    await until("it to be noted", async () => (await again.show(id)).callback?.problem === "410");
    const record = await gateway.store.traffic.job(id);
    assert.equal(record?.job.callback?.dueAt, undefined);
    assert.equal(JSON.stringify(record).includes("/hook"), false);
  });

  it("tells also that a job was cancelled", async (t) => {
    const { url, told } = await receiver(t, (_index, response) => response.end());
    const { john } = await scene(t, [url], () => undefined);
    const id = await submit(john, `${url}/hook`);
    await john.becomes(id, "running");
    assert.equal((await john.cancel(id)).status, 204);
    await until("the call-back", () => told.length === 1);
    const { type, data } = JSON.parse(told[0]?.body ?? "{}") as { type: string; data: Record<string, unknown> };
    assert.deepEqual([type, data["id"], data["result"]], ["job.cancelled", id, undefined]);
  });

  it("to a receiver that hangs holds up neither what else is due nor other receivers", async (t) => {
    const hanging = await receiver(t, () => undefined);
    const { url, told } = await receiver(t, (_index, response) => response.end());
    const { john, gateway } = await scene(t, [hanging.url, url]);
    const first = await submit(john, `${url}/first`);
    await until("the first", () => told.length === 1);
    const { traffic } = gateway.store;
    const { client, place } = (await traffic.job(first))?.job ?? {};
    assert.ok(client !== undefined && place !== undefined);
    const now = traffic.steadyNow();
    const ended = { client, place, at: now, endedAt: now, state: "done", counted: true, keepMs: 60_000 } as const;
    const sealedUrl = gateway.sealer.seal("job-callback", Buffer.from(`${hanging.url}/x`));
    for (let index = 0; index < 300; index += 1) {
      const dueAt = now - 1_000 + index;
      const callback = { sealedUrl, origin: hanging.url, epoch: 0, tries: 0, dueAt };
      await traffic.setJob(0, aJob({ ...ended, callback, wakeAt: dueAt }));
    }
    const expired = aJob({ ...ended, keepMs: 1, wakeAt: now + 1 });
    await traffic.setJob(0, expired);
    await until("the expired one to be forgotten", async () => (await traffic.job(expired.id)) === undefined, 3_000);
    await submit(john, `${url}/second`);
    await until("the second", () => told.length === 2, 3_000);
    assert.equal(hanging.told.length, 4);
  });
});
