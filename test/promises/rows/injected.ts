import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Client, setClient } from "@aigw/core";
import { type Finished, spawnAigw, startGatewayProcess } from "../../support/aigw.ts";
import { startEcho, tokenFor } from "../../support/http.ts";
import { ATTEMPTS, type Attempt, type Reached, reachedBy, UPSTREAM_ENV } from "../../support/killed-command.ts";
import { startNumberedLoad } from "../../support/numbered-load.ts";
import { allChanges, allUsage, assertSound, prepareHome, UNLIMITED, withHome } from "../../support/prepared-home.ts";
import { until, within } from "../../support/until.ts";
import { isAlive } from "../../support/workers.ts";
import { count, never, type Row, type Run, type Seen } from "../row.ts";

/** What SQLite asks of the system when it writes; which of the two that sync depends on how it was built. */
const CALLS = ["pwrite64", "fsync", "fdatasync"] as const;
const ERRORS = ["EIO", "ENOSPC"] as const;

/** @param record a file that gets each call */
const inject = (record: string, call: string, error: string, when: string): string[] => [
  "strace",
  "-f",
  "-qq",
  "-o",
  record,
  "-e",
  `trace=${call}`,
  "-e",
  `inject=${call}:error=${error}${when}`,
];

/** How many calls failed on purpose. */
const injectedIn = (record: string): number => readFileSync(record, "latin1").split("(INJECTED)").length - 1;

const recordFile = (run: Run): string => {
  const folder = mkdtempSync(join(tmpdir(), "aigw-strace-"));
  run.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "calls");
};

/** Failing the nth time: the first times are in the opening of the store, the last beyond what a command needs. */
const NTH = [1, 3, 9, 11, 13, 15, 17, 20, 24] as const;
/** `failed`, `changed_meanwhile`, a store that cannot be used: what a command may say. */
const CODES = [1, 5, 6];

const commands = async (run: Run): Promise<readonly Seen[]> => {
  const echo = await startEcho(run);
  const { home, passwords } = await prepareHome(run, {
    services: { echo: echo.url },
    clients: { john: UNLIMITED, mary: {}, jane: UNLIMITED },
  });
  const { url, pid } = await startGatewayProcess(run, home);
  const reached: Record<Reached, number> = { before: 0, between: 0, after: 0 };
  const broken: string[] = [];
  const record = recordFile(run);
  let failures = 0;
  let met = 0;
  let tried = 0;
  let calls = 0;
  let failedCalls = 0;
  const attempts = run.size(ATTEMPTS.length, 2);
  const tryIt = async (attempt: Attempt, serial: string, call: string, error: string, nth: number): Promise<void> => {
    const under = inject(record, call, error, `:when=${nth}`);
    const runIt = (args: readonly string[]): Promise<Finished> =>
      within(args.join(" "), spawnAigw(home, [...args, "--json"], { env: UPSTREAM_ENV, under }).done, 60_000).then(
        (ended) => {
          if (ended.code !== 0) failures += 1;
          met += injectedIn(record);
          return ended;
        },
      );
    try {
      reached[await reachedBy(home, attempt, serial, runIt, CODES)] += 1;
    } catch (failure) {
      broken.push(`${call} ${error} the ${nth}th time, ${attempt.args(serial).join(" ")}: ${failure}`);
    }
    tried += 1;
  };
  for (const [number, attempt] of ATTEMPTS.slice(0, attempts).entries()) {
    const token = await tokenFor(url, "jane", passwords["jane"] ?? "");
    const load = startNumberedLoad(run, { url: `${url}/api/echo`, token, prefix: `j${number}`, connections: 1 });
    for (const call of CALLS) {
      for (const error of ERRORS) {
        // Syncs are few; each of them is met. Of the writes, those around the commit.
        for (const nth of call === "pwrite64" ? NTH : [1, 2, 3, 4, 5])
          if (run.size(1, 0) === 1 || nth === 3)
            await tryIt(attempt, `${number}${call}${error}${nth}`.toLowerCase(), call, error, nth);
      }
    }
    await load.stop();
    calls += load.calls.length;
    // A rotation without grace ends every token.
    const mayEnd = attempt.actions.includes("secret.rotate");
    failedCalls += load.calls.filter(({ result }) => result !== 200 && !(mayEnd && result === 401)).length;
  }
  for (const line of broken.slice(0, 10)) run.say(line);
  run.say(
    `before: ${reached.before}, between: ${reached.between}, after: ${reached.after}; ${failures} commands failed`,
  );
  return [
    never("commands that lost what they acknowledged, or left something by half", broken.length, tried),
    {
      what: "calls that failed on purpose / commands that failed",
      seen: `${met} / ${failures} of ${tried}`,
      promised: "both occur",
      kept: met > 0 && failures > 0 && failures < tried,
    },
    never("calls of a known client that failed meanwhile", failedCalls, calls),
    never("gateways that ended", Number(!isAlive(pid)), 1),
  ];
};

/** Makes a running process's calls fail until it is stopped. */
const injectInto = async (
  run: Run,
  { pid, record, call, error }: { pid: number; record: string; call: string; error: string },
): Promise<ChildProcess> => {
  const [program = "", ...args] = inject(record, call, error, "");
  const child = spawn(program, [...args, "-p", String(pid)], { stdio: ["ignore", "ignore", "inherit"] });
  run.after(() => child.kill("SIGINT"));
  // It is attached when it says so in the process's own status.
  await until("strace to be attached", () => !/^TracerPid:\s+0$/m.test(readFileSync(`/proc/${pid}/status`, "utf8")));
  return child;
};

interface Met {
  /** Of its own calls to the system. */
  readonly injected: number;
  readonly calls: number;
  readonly failedCalls: number;
  readonly unrecorded: number;
  readonly acts: number;
  readonly lostActs: number;
  readonly died: boolean;
}

/** A gateway whose own writes fail for a while, under calls, and admin changes from elsewhere. */
const gatewayWith = async (run: Run, call: string, error: string): Promise<Met> => {
  const echo = await startEcho(run);
  const { home, passwords } = await prepareHome(run, { services: { echo: echo.url }, clients: { john: UNLIMITED } });
  const { url, pid, child, done } = await startGatewayProcess(run, home);
  const token = await tokenFor(url, "john", passwords["john"] ?? "");
  const load = startNumberedLoad(run, { url: `${url}/api/echo`, token, prefix: "n", connections: 2 });
  await until("calls", () => load.calls.length > 20);
  const record = recordFile(run);
  const tracer = await injectInto(run, { pid, record, call, error });
  const acts: { readonly rev: number; readonly note: string }[] = [];
  await withHome(home, async ({ deps }) => {
    for (let act = 0; act < 5; act += 1) {
      const note = `${call} ${error} ${act}`;
      const { rev } = await setClient(deps, "john", { note });
      acts.push({ rev, note });
      await delay(400);
    }
  });
  const ended = new Promise((end) => tracer.once("close", end));
  tracer.kill("SIGINT");
  await within("strace to let go", ended);
  await delay(1_000);
  await load.stop();
  const died = !isAlive(pid);
  child.kill("SIGTERM");
  await within("the gateway's end", done, 20_000);
  return withHome(home, async (opened) => {
    await assertSound(opened);
    const changes = await allChanges(opened.store);
    const stored = new Set((await allUsage(opened.store)).map(({ requestId }) => requestId));
    return {
      injected: injectedIn(record),
      calls: load.calls.length,
      failedCalls: load.calls.filter(({ result }) => result !== 200).length,
      unrecorded: load.calls.filter(({ id, result }) => result === 200 && !stored.has(id)).length,
      acts: acts.length,
      lostActs: acts.filter(({ rev, note }) => (changes[rev - 1]?.after as Client | undefined)?.note !== note).length,
      died,
    };
  });
};

const gateways = async (run: Run): Promise<readonly Seen[]> => {
  const all: Met[] = [];
  for (const call of CALLS) {
    for (const error of ERRORS) {
      const met = await gatewayWith(run, call, error);
      run.say(
        `${call} ${error} in the gateway, ${met.injected} times: ${count(met.calls)} calls, ${met.failedCalls} failed, ${met.unrecorded} without an event${met.died ? ", and it ended" : ""}`,
      );
      all.push(met);
    }
  }
  const sum = (of: (met: Met) => number): number => all.reduce((total, met) => total + of(met), 0);
  return [
    {
      what: "calls of the gateway to the system that failed on purpose",
      seen: count(sum((met) => met.injected)),
      promised: "> 0",
      kept: sum((met) => met.injected) > 0,
    },
    never(
      "calls of a known client that failed while the gateway's writes did",
      sum((met) => met.failedCalls),
      sum((met) => met.calls),
    ),
    never(
      "their usage events lost",
      sum((met) => met.unrecorded),
      sum((met) => met.calls),
    ),
    never(
      "changes made meanwhile that were lost",
      sum((met) => met.lostActs),
      sum((met) => met.acts),
    ),
    never(
      "gateways that ended, their writes failing",
      sum(({ died }) => Number(died)),
      all.length,
    ),
  ];
};

export const injected: Row = {
  name: "injected",
  promise:
    "Writes and syncs that fail with EIO and ENOSPC, in commands and in the gateway: nothing acknowledged is lost, nothing done by half, known clients served",
  minutes: 20,
  needs: ["strace"],
  run: async (run) => [...(await commands(run)), ...(await gateways(run))],
};
