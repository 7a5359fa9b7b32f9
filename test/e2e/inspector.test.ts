import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { AIGW, aigw, cleanEnv, type Finished, spawnAigw, startGatewayProcess } from "../support/aigw.ts";
import { send } from "../support/http.ts";
import { prepareHome } from "../support/prepared-home.ts";
import { ONLY_AT_FULL_SIZE } from "../support/rounds.ts";
import { until, within } from "../support/until.ts";
import { startWorkers } from "../support/workers.ts";

/** What Node says when its inspector opens. */
const OPENED = /Debugger listening on ws:\/\/(\S+)\//g;

const moduleOf = (source: string): string => `data:text/javascript,${encodeURIComponent(source)}`;

/** Whether somebody listens there. */
const isOpen = (address: string): Promise<boolean> => {
  const { hostname, port } = new URL(`ws://${address}`);
  return new Promise((settle) => {
    const socket = connect(Number(port), hostname);
    socket.once("connect", () => settle(true)).once("error", () => settle(false));
    socket.once("connect", () => socket.destroy());
  });
};

/** That SIGUSR1 neither opened anything nor ended the process: it has read its signals, for it answers afterwards. */
const signal = async (pids: readonly number[], answers: () => Promise<unknown>): Promise<void> => {
  for (let times = 0; times < 3; times += 1) {
    for (const pid of pids) process.kill(pid, "SIGUSR1");
    await answers();
  }
};

const ended = async (done: Promise<Finished>): Promise<Finished> => {
  const finished = await within("its end", done);
  assert.equal([...finished.stderr.matchAll(OPENED)].length, 0, finished.stderr);
  return finished;
};

describe("SIGUSR1 does not open Node's inspector", { concurrency: 2 }, () => {
  it("as it does in a process that does not listen for it", async (t) => {
    const child = spawn(process.execPath, ["-e", "process.debugPort = 0; setInterval(() => 1, 1000); console.log()"], {
      stdio: "pipe",
    });
    t.after(() => child.kill("SIGKILL"));
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    await once(child.stdout, "data");
    child.kill("SIGUSR1");
    await until("the inspector", () => /Debugger listening/.test(said));
  });

  it("in a gateway of one process", async (t) => {
    const { home } = await prepareHome(t);
    const { url, pid, child, done } = await startGatewayProcess(t, home);
    await signal([pid], () => send(`${url}/health`));
    child.kill("SIGTERM");
    assert.equal((await ended(done)).code, 0);
  });

  const noRestart = `--import=${moduleOf("process.execve = undefined;")}`;
  for (const [where, env] of [
    ["", {}],
    [", where the process cannot be replaced", { NODE_OPTIONS: noRestart }],
  ] as const) {
    it(`in a primary and its workers${where}`, ONLY_AT_FULL_SIZE, async (t) => {
      const { home } = await prepareHome(t);
      const { url, pid, child, done, workers, log } = await startWorkers(t, home, 2, [], env);
      await signal([pid, ...workers.map((worker) => worker.pid)], () =>
        Promise.all([send(`${url}/health`), send(`${url}/health`)]),
      );
      child.kill("SIGTERM");
      assert.equal((await ended(done)).code, 0);
      assert.deepEqual(
        log().filter(({ level }) => level === "error"),
        [],
        "no worker ended of it",
      );
    });
  }

  it("in a command that opens the home, and in what reads the databases for doctor", async (t) => {
    const { home } = await prepareHome(t, { clients: { john: {} } });
    const top = spawnAigw(home, ["top", "--json"]);
    let lines = 0;
    top.child.stdout?.on("data", () => {
      lines += 1;
    });
    const nextLine = (): Promise<unknown> => {
      const seen = lines;
      return until("a line", () => lines > seen);
    };
    await nextLine();
    await signal([top.child.pid ?? 0], nextLine);
    top.child.kill("SIGINT");
    assert.equal((await ended(top.done)).code, 130);

    const script = join(dirname(AIGW.at(-1) ?? ""), "doctor/integrity-child.js");
    const says = `const timer = setInterval(() => {
        if (process.listenerCount("SIGUSR1") === 0) return;
        clearInterval(timer);
        console.error("it listens");
      }, 5);`;
    const child = spawn(process.execPath, [`--import=${moduleOf(says)}`, ...AIGW.slice(0, -1), script], {
      env: cleanEnv(home),
      stdio: "pipe",
    });
    t.after(() => child.kill("SIGKILL"));
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    await until("it to listen", () => stderr.includes("it listens"));
    for (let times = 0; times < 3; times += 1) child.kill("SIGUSR1");
    child.stdin.end(`sqlite:${join(home, "aigw.db")}`);
    const [code] = (await within("its end", once(child, "close"))) as [number];
    assert.deepEqual([code, stderr], [0, "it listens\n"]);
  });
});

describe("an inspector that is open is closed before anything is", { concurrency: 2 }, () => {
  /** @returns the addresses that were said to be open and closed */
  const assertClosed = async (stderr: string, times: number): Promise<void> => {
    const opened = [...stderr.matchAll(OPENED)].map(([, address = ""]) => address);
    assert.equal(opened.length, times, stderr);
    for (const address of opened) {
      assert.ok(stderr.includes(`Node's inspector was open (${address.split("/")[0]}) and is closed now`), stderr);
    }
  };

  it("of a command, whatever NODE_OPTIONS or a flag say; its answer is as ever", async (t) => {
    const { home } = await prepareHome(t, { clients: { john: {} } });
    const env = { NODE_OPTIONS: "--inspect=127.0.0.1:0" };
    const plain = await aigw(home, ["client", "list", "-q"], { env });
    assert.deepEqual([plain.code, plain.stdout], [0, "john\n"], plain.stderr);
    assert.match(plain.stderr, /^warning: Node's inspector was open/m);
    await assertClosed(plain.stderr, 1);
    const asJson = await aigw(home, ["client", "list", "--json"], { env });
    assert.match(asJson.stderr, /^\{"warning":\{"message":"Node's inspector was open/m);
  });

  it("of serve and its workers; nobody is let in by the time they serve", async (t) => {
    const { home } = await prepareHome(t);
    const { child, done } = spawnAigw(home, ["serve", "--port", "0", "-q", "--workers", "2"], {
      env: { NODE_OPTIONS: "--inspect=127.0.0.1:0" },
    });
    t.after(() => child.kill("SIGKILL"));
    let stderr = "";
    child.stderr?.on("data", (text: string) => {
      stderr += text;
    });
    if (child.stdout !== null) await within("the workers", once(child.stdout, "data"));
    const opened = [...stderr.matchAll(OPENED)].map(([, address = ""]) => address);
    // Node counts the workers' ports up from the primary's; one may be another program's.
    const due = 3 - [...stderr.matchAll(/Starting inspector on \S+ failed/g)].length;
    assert.deepEqual(await Promise.all(opened.map(isOpen)), Array(due).fill(false), stderr);
    child.kill("SIGTERM");
    await assertClosed((await within("its end", done)).stderr, due);
  });

  it("that a signal opened before anybody listened for it, and again behind whoever closed it", async (t) => {
    const { home } = await prepareHome(t);
    // What Node runs before our first line. Node's own thread asks twice for the inspector, the second time at any time.
    const early = `import i from "node:inspector";
      process.env.NODE_OPTIONS = ""; // once
      process.debugPort = 0;
      process.kill(process.pid, "SIGUSR1");
      while (!i.url()) await new Promise((settle) => setTimeout(settle, 5));
      setInterval(() => i.url() ?? i.open(0), 1).unref();`;
    const { child, done } = spawnAigw(home, ["serve", "--port", "0", "-q"], {
      env: { NODE_OPTIONS: `--import=${moduleOf(early)}` },
    });
    t.after(() => child.kill("SIGKILL"));
    let stderr = "";
    child.stderr?.on("data", (text: string) => {
      stderr += text;
    });
    const { stdout } = child;
    assert.ok(stdout);
    const [line] = (await within("the gateway", once(stdout, "data"))) as [Buffer];
    assert.equal((await send(`${line.toString().trim()}/health`)).status, 200);
    const opened = [...stderr.matchAll(OPENED)].map(([, address = ""]) => address);
    assert.ok(opened.length > 0);
    assert.deepEqual(await Promise.all(opened.map(isOpen)), Array(opened.length).fill(false), stderr);
    child.kill("SIGTERM");
    const all = (await within("its end", done)).stderr;
    assert.match(all, /Node's inspector was open/);
    assert.equal([...all.matchAll(OPENED)].length, opened.length, "none since it serves");
  });
});

describe("a diagnostic report", () => {
  it("that NODE_OPTIONS asks for does not repeat the environment, which may hold the master key", async (t) => {
    const { home } = await prepareHome(t);
    const folder = dirname(home);
    const options = `--report-on-signal --report-directory=${folder}`;
    const { child, url } = await startGatewayProcess(t, home, [], { NODE_OPTIONS: options, CANARY: "canary-91c7" });
    const reports = (): readonly string[] => readdirSync(folder).filter((name) => name.startsWith("report."));
    child.kill("SIGUSR2");
    const [name = ""] = await until("the report", () => reports().length > 0 && reports());
    const text = await until("all of it", () => {
      const read = readFileSync(join(folder, name), "utf8");
      return read.trimEnd().endsWith("}") && read;
    });
    assert.equal((JSON.parse(text) as { environmentVariables?: object }).environmentVariables, undefined);
    assert.ok(!text.includes("canary-91c7"));
    assert.equal((await send(`${url}/health`)).status, 200);
  });
});
