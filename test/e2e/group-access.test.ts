import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { AIGW, aigw, cleanEnv, type Finished, startGatewayProcess, temporaryHome } from "../support/aigw.ts";
import { login } from "../support/http.ts";
import { prepareHome } from "../support/prepared-home.ts";
import { within } from "../support/until.ts";

const ALLOWED = { AIGW_GROUP_ACCESS: "1" };
const IS_ROOT = process.getuid?.() === 0;
const [USER, GROUP, OTHER_GROUP] = [61_236, 61_237, 61_238];

/** What the kubelet does to a volume each time that it mounts it: the group gets everything that the owner has. */
const mount = (folder: string, group?: number): void => {
  for (const name of ["", ...readdirSync(folder, { recursive: true }).map(String)]) {
    const path = join(folder, name);
    const stat = statSync(path);
    if (group !== undefined) chownSync(path, stat.uid, group);
    chmodSync(path, stat.isDirectory() ? 0o2770 : 0o660);
  }
};

const filesOf = (home: string): Record<string, string> =>
  Object.fromEntries(
    ["", ...readdirSync(home)].map((name) => [name, (statSync(join(home, name)).mode & 0o7777).toString(8)]),
  );

describe("a home whose group may get at it", () => {
  test("is refused, naming the switch; with it everything works, workers and threads too", async (t) => {
    const { home, passwords } = await prepareHome(t, { clients: { john: {} } });
    await aigw(home, ["usage", "report"]);
    mount(home);
    const refused = await aigw(home, ["client", "list"]);
    assert.equal(refused.code, 4);
    assert.match(
      refused.stderr,
      /^error: \S+ has mode 770, so that other users of this machine can get at it \(if its group \d+ is meant to, as with fsGroup, set AIGW_GROUP_ACCESS=1\)\. Run: chmod 700 '\S+'\n$/,
    );
    for (const value of ["0", "", "yes"]) {
      assert.equal((await aigw(home, ["client", "list"], { env: { AIGW_GROUP_ACCESS: value } })).code, 4, value);
    }
    for (const args of [["client", "list"], ["client", "add", "mary"], ["usage", "report"], ["status"]]) {
      const { code, stderr } = await aigw(home, args, { env: ALLOWED });
      assert.equal(code, 0, stderr);
    }
    const completed = await aigw(home, ["__complete", "zsh", "client", "show", "j"], { env: ALLOWED });
    assert.match(completed.stdout, /^john/m);
    const gateway = await startGatewayProcess(t, home, [], ALLOWED);
    assert.equal((await login(gateway.url, "john", passwords["john"] ?? "")).status, 200);
    const doctor = await aigw(home, ["doctor", "--json"], { env: ALLOWED });
    const { findings } = JSON.parse(doctor.stdout) as { findings: { code: string; level: string; message: string }[] };
    const codes = findings.map(({ code }) => code);
    assert.ok(codes.includes("home_shared") && codes.includes("integrity_sound"), doctor.stdout);
    assert.ok(!codes.includes("home_loose") && !codes.includes("home_ready"), doctor.stdout);
    const workers = await startGatewayProcess(t, home, ["--workers", "2"], ALLOWED);
    assert.equal((await login(workers.url, "john", passwords["john"] ?? "")).status, 200);
  });

  test("others are refused with the switch too", async (t) => {
    for (const [name, mode] of [
      ["", 0o771],
      ["", 0o2775],
      ["master.key", 0o664],
      ["aigw.db", 0o602],
    ] as const) {
      const { home } = await prepareHome(t);
      mount(home);
      chmodSync(join(home, name), mode);
      const { code, stderr } = await aigw(home, ["client", "list"], { env: ALLOWED });
      assert.equal(code, 4, `${name} ${mode.toString(8)}`);
      assert.match(stderr, /so that other users of this machine can get at it\. Run: chmod [67]00 '\S+'\n$/);
    }
  });

  test("what aigw makes is for its user alone", async (t) => {
    const home = temporaryHome(t);
    mkdirSync(join(dirname(home), "volume"));
    chmodSync(join(dirname(home), "volume"), 0o2770);
    const inVolume = join(dirname(home), "volume", "aigw");
    assert.equal((await aigw(inVolume, ["client", "add", "john"], { env: ALLOWED })).code, 0);
    const { "": folder, ...files } = filesOf(inVolume);
    assert.match(folder ?? "", /^2?700$/);
    assert.deepEqual([...new Set(Object.values(files))], ["600"]);
    const doctor = await aigw(inVolume, ["doctor", "--json"], { env: ALLOWED });
    assert.doesNotMatch(doctor.stdout, /home_shared/);
  });
});

test("as a user of the group on a volume that is root's; not as a user of another", {
  skip: !IS_ROOT && "needs root",
}, async (t: TestContext) => {
  const home = temporaryHome(t);
  const volume = dirname(home);
  chownSync(volume, 0, GROUP);
  chmodSync(volume, 0o2770);
  const as = (gid: number, args: readonly string[]): Promise<Finished> => {
    const child = spawn(process.execPath, [...AIGW, ...args], {
      env: cleanEnv(home, { ...ALLOWED, HOME: "/" }),
      cwd: "/",
      uid: USER,
      gid,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const done = new Promise<Finished>((settle) => {
      child.on("close", (code, signal) => settle({ code, signal, stdout, stderr }));
    });
    return within(args.join(" "), done, 30_000);
  };
  const made = await as(GROUP, ["client", "add", "john"]);
  assert.equal(made.code, 0, made.stderr);
  mount(home, GROUP);
  const listed = await as(GROUP, ["client", "list", "-q"]);
  assert.deepEqual([listed.code, listed.stdout], [0, "john\n"], listed.stderr);
  // The owner of the files, but of another group: whoever is in this one is a stranger to him.
  mount(home, OTHER_GROUP);
  chmodSync(volume, 0o2777);
  const refused = await as(GROUP, ["client", "list"]);
  assert.equal(refused.code, 4);
  assert.match(refused.stderr, /has mode 770 and belongs to group 61238, which this process is not in/);
});
