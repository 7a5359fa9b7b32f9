import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { until, within } from "./until.ts";

type Owner = Pick<TestContext, "after">;

/** Node's own server: answers with its process id, the length of the body behind it, after 5 ms; `/stream` ends 2 s later. */
const SERVER = `
  const server = require("node:http").createServer((request, response) => {
    let bytes = 0;
    request.on("data", (chunk) => { bytes += chunk.length; });
    const end = () => response.end(process.pid + " " + bytes);
    request.on("end", () => {
      if (request.url !== "/stream") return setTimeout(end, 5);
      response.write("begun by ");
      setTimeout(end, 2_000);
    });
  });
  server.listen(Number(process.argv[1]), "127.0.0.1", () => console.log(server.address().port));
`;

/** One target of a service in a process of its own, which can be killed, stopped and started again on its port. */
export class TargetProcess {
  port = 0;
  #child: ChildProcess | undefined;

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async start(): Promise<void> {
    const child = spawn(process.execPath, ["-e", SERVER, String(this.port)], { stdio: ["ignore", "pipe", "inherit"] });
    this.#child = child;
    let text = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    this.port = Number(await until("the target to listen", () => text.includes("\n") && text));
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await within("the target to be gone", gone);
  }
}

export const startTarget = async (t: Owner): Promise<TargetProcess> => {
  const target = new TargetProcess();
  t.after(() => target.kill());
  await target.start();
  return target;
};
