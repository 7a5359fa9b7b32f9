import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { addService, setService } from "@aigw/core";
import { aigw } from "../support/aigw.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { bearer, send } from "../support/http.ts";
import { allUsage, prepareHome, UNLIMITED } from "../support/prepared-home.ts";
import { SteadyLoad } from "../support/steady-load.ts";
import { startTarget, type TargetProcess } from "../support/target-process.ts";
import { until, within } from "../support/until.ts";

const RATE = 200;

interface Scene {
  readonly gateway: TestGateway;
  readonly one: TargetProcess;
  readonly other: TargetProcess;
  readonly load: (method: string, body?: string) => SteadyLoad;
  readonly call: (path?: string, options?: Parameters<typeof send>[1]) => ReturnType<typeof send>;
  /** Resolves when the answer has begun. @returns what waits for its end */
  readonly stream: (path: string) => Promise<() => Promise<string>>;
}

/** A gateway before a service in two processes. */
const scene = async (t: TestContext, facts: Partial<Parameters<typeof addService>[1]> = {}): Promise<Scene> => {
  const [one, other] = await Promise.all([startTarget(t), startTarget(t)]);
  const gateway = await startTestGateway(t);
  const { rev } = await addService(gateway.deps, {
    name: "ocr",
    url: one.url,
    addTargets: [other.url],
    // Far more than a busy machine takes for an answer.
    timeoutMs: 5_000,
    ...facts,
  });
  await gateway.applied(rev);
  const headers = bearer(await gateway.tokenFor("john", UNLIMITED));
  const url = `${gateway.url}/api/ocr`;
  return {
    gateway,
    one,
    other,
    load: (method, body) => {
      const load = new SteadyLoad(`${url}/x`, RATE, { method, headers, ...(body !== undefined && { body }) });
      // Also when something is wrong: calls without an end would keep the process, and whoever waits for it.
      t.after(() => load.stop());
      return load;
    },
    stream: async (path) => {
      const answer = await within("the answer to begin", fetch(url + path, { headers }));
      return () => within("the answer to end", answer.text());
    },
    call: (path = "/x", options = {}) => send(url + path, { ...options, headers: { ...headers, ...options.headers } }),
  };
};

const answered = (load: SteadyLoad, { pid }: TargetProcess, more = 20): Promise<unknown> => {
  const before = load.answersOf(String(pid));
  return until(`answers of ${pid}`, () => load.answersOf(String(pid)) >= before + more);
};

const logged = ({ log }: TestGateway, message: string): readonly Record<string, unknown>[] =>
  log.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ msg }) => msg === message);

it("a target of which there is nothing to tell is not in the store's reports", async (t) => {
  const { home } = await prepareHome(t, { services: { one: "http://127.0.0.1:1", other: "http://127.0.0.1:1" } });
  const { store } = await startTestGateway(t, { home });
  const reports = async () => (await store.traffic.instances(10_000)).map(({ targets }) => targets);
  assert.deepEqual(await until("its report", async () => (await reports())[0]), []);
});

describe("one of two targets, under load", () => {
  it("is killed and started again: no idempotent call fails, and it takes calls again", async (t) => {
    const { gateway, one, other, load } = await scene(t);
    const calls = load("GET");
    await Promise.all([answered(calls, one), answered(calls, other)]);
    await one.kill();
    await answered(calls, other, 100);
    const [down] = await until("the line in the log", () => logged(gateway, "target down"));
    assert.deepEqual([down?.["service"], down?.["target"]], ["ocr", one.url]);
    assert.match(String(down?.["reason"]), /^(?:refused|reset|closed)$/);
    await one.start();
    await answered(calls, one);
    const { failed, statuses, calls: all } = await calls.stop();
    assert.equal(failed, 0, `${JSON.stringify([...statuses])} of ${all}`);
    const [up] = logged(gateway, "target up");
    assert.equal(up?.["target"], one.url);
  });

  it("is killed: of other calls at most those fail that were with it", async (t) => {
    const { one, other, load } = await scene(t);
    const calls = load("POST", "x".repeat(500));
    await Promise.all([answered(calls, one), answered(calls, other)]);
    const ended = calls.begun - calls.inFlight;
    await one.kill();
    // Whatever was sent until it was known to be dead may have been with it, and no other.
    const atMost = calls.begun - ended;
    await answered(calls, other, 100);
    const { failed, statuses } = await calls.stop();
    assert.ok(failed <= Math.max(1, atMost), `${JSON.stringify([...statuses])}, ${atMost} with it`);
  });

  it("is stopped: what is with it times out, and then it is left alone but for one call at a time", async (t) => {
    // Far more than a busy machine takes for an answer.
    const { gateway, one, other, load } = await scene(t, { timeoutMs: 1_500 });
    const calls = load("GET");
    await Promise.all([answered(calls, one), answered(calls, other)]);
    one.signal("SIGSTOP");
    await until("the target to be down", () => logged(gateway, "target down").length > 0);
    await answered(calls, other, 100);
    one.signal("SIGCONT");
    await answered(calls, one);
    const { failed, calls: all, statuses } = await calls.stop();
    // What was with it, what went to it before three had timed out, and a probe or two.
    assert.ok(failed < 100 && failed < all / 4, `${JSON.stringify([...statuses])}`);
    assert.ok(
      [...statuses.keys()].every((status) => status === 200 || status === 504),
      `nothing but time-outs: ${JSON.stringify([...statuses])}`,
    );
  });

  it("comes and goes: no idempotent call fails", async (t) => {
    const { one, other, load } = await scene(t);
    const calls = load("GET");
    await Promise.all([answered(calls, one), answered(calls, other)]);
    for (let n = 0; n < 3; n += 1) {
      await one.kill();
      await delay(200);
      await one.start();
      await delay(200);
    }
    const { failed, statuses } = await calls.stop();
    assert.equal(failed, 0, JSON.stringify([...statuses]));
  });

  it("is added, drained and removed while calls go on: none fails, and a stream goes on", async (t) => {
    const { gateway, one, other, load, stream } = await scene(t);
    const calls = load("POST", "x");
    await Promise.all([answered(calls, one), answered(calls, other)]);
    const streams = await Promise.all(Array.from({ length: 6 }, () => stream("/stream")));
    const drained = await setService(gateway.deps, "ocr", { drain: [one.url] });
    await gateway.applied(drained.rev);
    await until("its last calls", async () => {
      const before = calls.answersOf(String(one.pid));
      await answered(calls, other, 30);
      return calls.answersOf(String(one.pid)) === before;
    });
    const back = await setService(gateway.deps, "ocr", { undrain: [one.url] });
    await gateway.applied(back.rev);
    await answered(calls, one);
    await gateway.applied((await setService(gateway.deps, "ocr", { removeTargets: [other.url] })).rev);
    await until("its last calls", async () => {
      const before = calls.answersOf(String(other.pid));
      await answered(calls, one, 30);
      return calls.answersOf(String(other.pid)) === before;
    });
    const { failed, statuses } = await calls.stop();
    assert.equal(failed, 0, JSON.stringify([...statuses]));
    const bodies = await Promise.all(streams.map((body) => body()));
    for (const { pid } of [one, other]) assert.ok(bodies.includes(`begun by ${pid} 0`), `a whole stream of ${pid}`);
    assert.ok(bodies.every((body) => /^begun by \d+ 0$/.test(body)));
  });
});

describe("all targets down", () => {
  it("503 service_down with Retry-After, at once; what is down is told, and so is its coming back", async (t) => {
    const { gateway, one, other, call } = await scene(t);
    await Promise.all([one.kill(), other.kill()]);
    const statuses: number[] = [];
    const answer = await until("503", async () => {
      const got = await call();
      statuses.push(got.status);
      return got.status === 503 && got;
    });
    assert.ok(statuses.length <= 4, String(statuses));
    assert.equal((JSON.parse(answer.body) as { code: string }).code, "service_down");
    assert.match(String(answer.headers["retry-after"]), /^[1-9]\d*$/);

    const seen = await until("the report", async () => {
      const { stdout } = await aigw(gateway.home, ["service", "list", "--json"]);
      const { services } = JSON.parse(stdout) as {
        services: { targets: { url: string; state: string; since: string; openCalls: number; weight: number }[] }[];
      };
      const targets = services[0]?.targets ?? [];
      return targets.every(({ state }) => state === "down") && targets;
    });
    assert.deepEqual(
      seen.map(({ url, openCalls, weight }) => [url, openCalls, weight]),
      [
        [one.url, 0, 1],
        [other.url, 0, 1],
      ],
    );
    assert.ok(seen.every(({ since }) => Date.now() - Date.parse(since) < 60_000));
    const events = await until("the event", async () => {
      const all = await allUsage(gateway.store);
      return all.some(({ reason }) => reason === "no_target") && all;
    });
    const event = events.find(({ reason }) => reason === "no_target");
    assert.deepEqual([event?.outcome, event?.status], ["upstream_error", 503]);

    await one.start();
    await until("calls to succeed again", async () => (await call()).status === 200);
  });
});
