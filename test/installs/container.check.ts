import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { freePort } from "../../packages/cli/src/workers/free-port.ts";
import { freshClone, installing } from "../support/documents.ts";
import { bearer, login, send } from "../support/http.ts";
import { printed } from "../support/installed.ts";
import { reportNeed } from "../support/needs.ts";
import { until } from "../support/until.ts";
import { debianArchive, lacking } from "./support/debian.ts";
import { ROOT } from "./support/release.ts";

/**
 * The Dockerfile, built and run by the lines of docs/install.md, with podman as `docker`. No image can be fetched here,
 * so Debian 12 with Node stands in the place of Node's own. Run by `pnpm installs`.
 */

const WHAT = "The container";
const BASE = "localhost/aigw-test-node";
const NAME = `aigw-test-${process.pid}`;

/** What a machine may be in the way of: the first that starts anything is taken. */
const SETTINGS: readonly (readonly string[])[] = [
  [],
  ...["crun", "runc"].map((runtime) => ["--runtime", runtime, ...limits()]),
];

/** The engine's own are above what this process may set, where it is not let. */
function limits(): readonly string[] {
  const hard = spawnSync("bash", ["-c", "ulimit -Hn"], { encoding: "utf8" }).stdout.trim();
  const files = hard === "unlimited" ? "20000" : hard;
  return [`--ulimit=nofile=${files}:${files}`, "--ulimit=nproc=4096:4096"];
}

const missing = lacking(["podman", "mmdebstrap"]);
reportNeed(WHAT, missing);

describe("the container", { skip: missing }, () => {
  const folder = mkdtempSync(join(tmpdir(), "aigw-container-"));
  const clone = join(folder, "clone");
  /** With a storage of its own, which goes with the folder. */
  const podman = ["podman", "--root", join(folder, "images"), "--runroot", join(folder, "run")];
  const engine = (...args: readonly string[]): number | null =>
    spawnSync(podman[0] ?? "", [...podman.slice(1), ...args]).status;
  let port = 0;
  let flags: readonly string[] = [];

  before(
    async () => {
      const context = join(folder, "base");
      mkdirSync(context);
      copyFileSync(await debianArchive(), join(context, "debian.tar"));
      copyFileSync(realpathSync(process.execPath), join(context, "node"));
      await printed("npm", ["install", "-g", "--prefix", join(context, "npm"), "--no-audit", "--no-fund", "npm@11"]);
      // What this machine trusts: packages may come through a proxy of its own.
      const trusted = process.env["NODE_EXTRA_CA_CERTS"];
      if (trusted !== undefined) copyFileSync(trusted, join(context, "trusted.crt"));
      const trust =
        trusted === undefined
          ? ""
          : "COPY trusted.crt /etc/ssl/trusted.crt\nENV NODE_EXTRA_CA_CERTS=/etc/ssl/trusted.crt\n";
      writeFileSync(
        join(context, "Dockerfile"),
        `FROM scratch\nADD debian.tar /\nCOPY node /usr/local/bin/node\nCOPY npm/ /usr/local/\n${trust}`,
      );
      await printed(podman[0] ?? "", [...podman.slice(1), "build", "-q", "-t", BASE, context], { timeoutMs: 200_000 });
      const starts = (setting: readonly string[]): boolean =>
        engine("run", "--rm", ...setting, BASE, "node", "--version") === 0;
      flags = SETTINGS.find(starts) ?? assert.fail("podman starts no container on this machine");
      freshClone(clone);
      port = await freePort("127.0.0.1");
      writeDocker(join(folder, "docker"));
    },
    { timeout: 700_000 },
  );
  after(() => {
    engine("rm", "-f", "-a");
    engine("image", "rm", "-f", "-a");
    rmSync(folder, { recursive: true, force: true });
  });

  /** Takes the page's lines to podman: with the base that is here, a name and a port of this test's own. */
  const writeDocker = (file: string): void => {
    const store = dirname(
      spawnSync("npx", ["-y", "pnpm@12.21.0", "store", "path"], { encoding: "utf8", cwd: ROOT }).stdout.trim(),
    );
    const kept = existsSync(store) ? `-v ${store}:/root/.local/share/pnpm/store` : "";
    writeFileSync(
      file,
      `#!/bin/bash
set -e
args=()
for arg in "$@"; do
  case $arg in
    aigw) [ "\${args[-1]}" = ${NAME} ] || arg=${NAME} ;;
    aigw:/data) arg=${NAME}:/data ;;
    127.0.0.1:8080:8080) arg=127.0.0.1:${port}:8080 ;;
  esac
  args+=("$arg")
done
set -- "\${args[@]}"
verb=$1
shift
case $verb in
  build) exec ${podman.join(" ")} build ${flags.join(" ")} --format docker --network host ${kept} --build-arg NODE=${BASE} "$@" ;;
  run) exec ${podman.join(" ")} run ${flags.join(" ")} "$@" ;;
  *) exec ${podman.join(" ")} "$verb" "$@" ;;
esac
`,
    );
    chmodSync(file, 0o755);
  };
  const paste = (lines: string): Promise<string> =>
    printed("bash", ["-e", "-c", lines], {
      cwd: clone,
      env: { ...process.env, PATH: [folder, process.env["PATH"]].join(delimiter) },
      timeoutMs: 400_000,
    });
  const untilUp = (): Promise<unknown> =>
    until(
      "the gateway",
      async () => (await send(`http://127.0.0.1:${port}/ready`).catch(() => undefined))?.status === 200,
      30_000,
    );

  const [start = "", upgrade = "", uninstall = ""] = installing("In a container");
  const runLine = (lines: string): string => lines.split("\n").find((line) => line.startsWith("docker run")) ?? "";

  it("is built and runs: nothing but its volume can be written, nobody's rights, healthy", {
    timeout: 500_000,
  }, async () => {
    const [build = "", run = "", list = "", logs = ""] = start.trim().split("\n");
    await paste(`${build}\n${run}`);
    await untilUp();
    await paste(list);
    await paste(logs);
    const within = (command: string): Promise<string> => paste(`docker exec ${NAME} ${command}`);
    assert.equal(await within("id -u"), "10001\n");
    assert.match(await within("sh -c 'touch /opt/aigw/x || echo refused'"), /refused/);
    assert.match(await within("grep -E 'CapBnd|NoNewPrivs' /proc/1/status"), /CapBnd:\s+0{16}\nNoNewPrivs:\s+1/);
    assert.match(await within("ls /opt/aigw/lib"), /^node_modules\n$/);
    // Throws unless it is healthy.
    await paste(`docker healthcheck run ${NAME}`);

    await within("aigw service add here http://127.0.0.1:8080");
    const password = (await within("aigw client add john -q")).trim();
    const url = `http://127.0.0.1:${port}`;
    const granted = await login(url, "john", password);
    const { access_token: token } = JSON.parse(granted.body) as { access_token: string };
    assert.equal((await send(`${url}/api/here/health`, { headers: bearer(token) })).status, 200);
  });

  it("is upgraded with its data, ends in good order, and goes", { timeout: 300_000 }, async () => {
    assert.equal(runLine(upgrade), runLine(start), "the new one is run as the old one");
    const [stop = "", remove = "", run = ""] = upgrade.trim().split("\n");
    await paste(stop);
    assert.equal(await paste(`docker inspect ${NAME} --format '{{.State.ExitCode}}'`), "0\n");
    await paste(`${remove}\n${run}`);
    await untilUp();
    assert.match(await paste(`docker exec ${NAME} aigw client list`), /john/);
    await paste(uninstall);
    assert.equal(engine("volume", "exists", NAME), 1);
    assert.equal(engine("image", "exists", NAME), 1);
  });
});
