import assert from "node:assert/strict";
import { pbkdf2 } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { getPriority } from "node:os";
import { describe, it, type TestContext } from "node:test";
import { startTestGateway } from "../support/gateway.ts";
import { type Answer, bearer, send, startEcho } from "../support/http.ts";
import { until } from "../support/until.ts";

/** Opens a connection from a loopback address, sends a guess and leaves it at that. */
const guessFrom = (t: TestContext, url: string, localAddress: string, username: string): Promise<Socket> =>
  new Promise((settle, reject) => {
    const { hostname, port, host } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), localAddress });
    t.after(() => socket.destroy());
    const body = `username=${username}&password=Wrong-password-1`;
    socket.on("error", reject);
    socket.write(
      `POST /auth/token HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      () => settle(socket),
    );
  });

const loginFrom = (url: string, localAddress: string, username: string, password: string): Promise<Answer> =>
  send(`${url}/auth/token`, {
    method: "POST",
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ username, password }).toString(),
    localAddress,
  });

describe("guesses from many addresses", () => {
  it("keep nobody else from logging in, whose address is known or whose network is quiet", async (t) => {
    const gateway = await startTestGateway(t);
    const { password } = await gateway.add("john");
    assert.equal((await loginFrom(gateway.url, "127.1.0.77", "john", password)).status, 200, "from now on known");
    const guessers = await Promise.all(
      Array.from({ length: 300 }, (_, n) =>
        guessFrom(t, gateway.url, `127.1.${n % 8}.${1 + (n >> 3)}`, `name${n % 3}`),
      ),
    );
    const answers = guessers.map(
      (socket) =>
        new Promise<string>((settle) => {
          socket.once("data", (bytes: Buffer) => settle(bytes.toString("latin1")));
          socket.once("close", () => settle(""));
        }),
    );
    const refused = await Promise.any(
      answers.map(async (answer) => {
        assert.match(await answer, /^HTTP\/1\.1 503 /);
        return answer;
      }),
    );
    assert.match(refused, /"temporarily_unavailable"/);
    assert.match(refused, /\r\nRetry-After: 1\r\n/i);
    const [known, quiet] = await Promise.all([
      loginFrom(gateway.url, "127.1.0.77", "john", password),
      loginFrom(gateway.url, "127.9.9.9", "john", password),
    ]);
    assert.deepEqual([known.status, quiet.status], [200, 200]);
    for (const socket of guessers) socket.destroy();
    assert.equal((await Promise.all(answers)).filter((answer) => answer.startsWith("HTTP/1.1 200")).length, 0);
    assert.equal(
      (await loginFrom(gateway.url, "127.1.3.200", "john", password)).status,
      200,
      "no turn for who has left",
    );
  });
});

describe("refusals", () => {
  it("of forged tokens do not wait for passwords", async (t) => {
    const echo = await startEcho(t);
    const gateway = await startTestGateway(t, { services: { echo: echo.url } });
    const token = await gateway.tokenFor("john");
    // Every thread of the pool is busy, as with passwords.
    let ended = 0;
    const work = Array.from(
      { length: 8 },
      () =>
        new Promise<void>((done) => {
          pbkdf2("x", "y", 600_000, 32, "sha256", () => {
            ended += 1;
            done();
          });
        }),
    );
    const forged = `${token.slice(0, -8)}AAAAAAAA`;
    const { status } = await send(`${gateway.url}/api/echo`, { headers: bearer(forged) });
    assert.deepEqual([status, ended], [401, 0]);
    await Promise.all(work);
    assert.equal(echo.seen.length, 0);
  });
});

describe("the threads that hash passwords", () => {
  it("stand back behind the one that serves calls", { skip: process.platform !== "linux" }, async (t) => {
    await startTestGateway(t);
    const threads = readdirSync("/proc/self/task");
    const read = (thread: string, file: string): string => readFileSync(`/proc/self/task/${thread}/${file}`, "utf8");
    const pool = threads.filter((thread) => read(thread, "comm").trim() === "libuv-worker");
    const priorityOf = (thread: string): number => getPriority(Number(thread));
    const own = priorityOf(String(process.pid));
    assert.ok(pool.length > 0);
    await until("them to stand back", () => pool.every((thread) => priorityOf(thread) === 10));
    assert.ok(own < 10, `this thread has ${own}`);
  });
});
