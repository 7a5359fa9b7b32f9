import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { printed } from "../../support/installed.ts";
import { until, within } from "../../support/until.ts";
import { KEPT } from "./release.ts";

/** @returns why there can be no Debian of its own here, or undefined */
export const lacking = (programs: readonly string[]): string | undefined => {
  if (process.platform !== "linux") return "this is not Linux";
  if (process.getuid?.() !== 0) return "it needs root";
  const missing = programs.filter((name) => spawnSync("sh", ["-c", `command -v ${name}`]).status !== 0);
  return missing.length === 0 ? undefined : `${missing.join(", ")} not found`;
};

/** The files of a small Debian 12 with systemd, as a tar archive; made once, and kept. */
export const debianArchive = async (): Promise<string> => {
  const archive = join(KEPT, "debian-12.tar");
  if (existsSync(archive)) return archive;
  mkdirSync(KEPT, { recursive: true });
  const unfinished = join(KEPT, `debian-12.${process.pid}.tar`);
  const include = "--include=ca-certificates,libstdc++6,passwd,procps,systemd-sysv,util-linux";
  const source = "deb http://deb.debian.org/debian bookworm main";
  try {
    await printed("mmdebstrap", ["--variant=essential", include, "bookworm", unfinished, source], {
      timeoutMs: 400_000,
    });
    renameSync(unfinished, archive);
  } finally {
    rmSync(unfinished, { force: true });
  }
  return archive;
};

export interface Machine {
  /** Its root folder, from outside. */
  readonly root: string;
  /** Pastes lines into a root shell of its; the first that fails ends them. @returns what they printed on stdout and stderr */
  paste(lines: string): Promise<string>;
  stop(): Promise<void>;
}

/** @param folder an empty one, whose name is nobody else's */
export const bootDebian = async (folder: string): Promise<Machine> => {
  const root = join(folder, "root");
  mkdirSync(root);
  await printed("tar", ["-xf", await debianArchive(), "-C", root], { timeoutMs: 120_000 });
  const child = spawn("bash", [join(import.meta.dirname, "boot.sh"), root], { stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = new Promise<void>((done) => child.once("close", () => done()));
  /** Of the process that became systemd. */
  const first = (): string =>
    readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim().split(" ")[0] ?? "";
  const inside = (...command: readonly string[]): readonly string[] => [
    ...["-t", first(), "-m", "-p", "-u", "-i", "-n", "-C", "env", "-i", "HOME=/root", "TERM=dumb"],
    ...["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", ...command],
  ];
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await within("the machine to end", ended);
    const group = spawnSync("findmnt", ["-n", "-o", "TARGET", "-t", "cgroup2"], { encoding: "utf8" }).stdout.split(
      "\n",
    )[0];
    const own = join(group ?? "", folder.split("/").at(-1) ?? "");
    // Folders of groups can be removed, their files cannot.
    await until("its groups to go", () => {
      spawnSync("find", [own, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"], { stdio: "ignore" });
      return !existsSync(own);
    });
  };
  try {
    await until(
      "systemd",
      () => {
        if (child.exitCode !== null) throw new Error(`the machine ended: ${stderr}`);
        const { stdout } = spawnSync("nsenter", inside("systemctl", "is-system-running"), { encoding: "utf8" });
        return /running|degraded/.test(stdout);
      },
      60_000,
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return { root, stop, paste: (lines) => printed("nsenter", inside("bash", "-e", "-c", `exec 2>&1\n${lines}`)) };
};
