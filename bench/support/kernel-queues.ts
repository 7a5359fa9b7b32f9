import { readFileSync } from "node:fs";

const portOf = (address = ""): number => Number.parseInt(address.split(":")[1] ?? "", 16);

/**
 * Bytes of TCP connections over IPv4 that lie in the kernel: written and not yet taken by the other side, or taken and
 * not yet read. Both ends of a connection are looked at.
 * @param ports of those who opened the connections
 */
export const bytesInKernel = (ports: readonly number[]): number => {
  let bytes = 0;
  for (const line of readFileSync("/proc/net/tcp", "utf8").split("\n").slice(1)) {
    const [, local, remote, , queues = ""] = line.trim().split(/ +/);
    if (!ports.includes(portOf(local)) && !ports.includes(portOf(remote))) continue;
    for (const queue of queues.split(":")) bytes += Number.parseInt(queue, 16);
  }
  return bytes;
};
