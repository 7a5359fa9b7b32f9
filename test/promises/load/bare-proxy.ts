/**
 * The least that a Node proxy can do: `node bare-proxy.ts <url>` passes everything on but `/health`, and prints its port.
 * No limits, no checks, the streams of `node:http` on both sides.
 */
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream";

const upstream = process.argv[2] ?? "";
const agent = new Agent({ keepAlive: true });
const ignore = (): void => undefined;

const server = createServer((incoming, outgoing) => {
  if (incoming.url === "/health") {
    outgoing.end("ok");
    return;
  }
  const { method, headers } = incoming;
  const onward = request(`${upstream}${incoming.url}`, { agent, method, headers }, (answer) => {
    if (outgoing.destroyed) {
      answer.destroy();
      return;
    }
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    pipeline(answer, outgoing, ignore);
  });
  onward.on("error", () => outgoing.destroy());
  outgoing.on("close", () => onward.destroy());
  pipeline(incoming, onward, ignore);
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
