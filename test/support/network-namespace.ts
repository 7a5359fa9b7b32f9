import { execFileSync, spawnSync } from "node:child_process";
import type { TestContext } from "node:test";

type Owner = Pick<TestContext, "after">;

/** A part of this machine with a network of its own, and a line to it that can be cut. */
export interface NetworkNamespace {
  /** This machine's address on the line, for what both sides are to reach. */
  readonly outside: string;
  /** The namespace's own address on it. */
  readonly inside: string;
  /** Runs a program in it. */
  readonly under: readonly string[];
  /** From now on packets between it and these ports out here are dropped, silently. Other ones still come through. */
  cut(ports: readonly number[]): void;
  mend(): void;
}

/** Why there can be none: it takes root, and Debian's iproute2 and iptables. */
export const namespacesMissing = (): string | false => {
  if (process.getuid?.() !== 0) return "only root may make network namespaces";
  const missing = ["ip", "iptables"].filter((program) => spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0);
  return missing.length > 0 && `${missing.join(" and ")} missing`;
};

export const makeNamespace = (t: Owner): NetworkNamespace => {
  // Of this process and nobody else; of the addresses that RFC 2544 keeps for tests.
  const name = `aigw${process.pid}`;
  const net = `198.18.${process.pid % 256}`;
  const [outside, inside] = [`${net}.1`, `${net}.2`];
  const ip = (...args: string[]): void => {
    execFileSync("ip", args, { stdio: "pipe" });
  };
  const under = ["ip", "netns", "exec", name];
  const rules = (...args: string[]): void => {
    execFileSync("ip", [...under.slice(1), "iptables", ...args], { stdio: "pipe" });
  };
  ip("netns", "add", name);
  // With it goes its end of the line, and with that the other end.
  t.after(() => ip("netns", "del", name));
  ip("link", "add", `${name}o`, "type", "veth", "peer", "name", `${name}i`, "netns", name);
  ip("addr", "add", `${outside}/24`, "dev", `${name}o`);
  ip("link", "set", `${name}o`, "up");
  ip("-n", name, "addr", "add", `${inside}/24`, "dev", `${name}i`);
  ip("-n", name, "link", "set", `${name}i`, "up");
  ip("-n", name, "link", "set", "lo", "up");
  return {
    outside,
    inside,
    under,
    cut: (ports) => {
      for (const port of ports) {
        rules("-A", "OUTPUT", "-p", "tcp", "--dport", String(port), "-j", "DROP");
        rules("-A", "INPUT", "-p", "tcp", "--sport", String(port), "-j", "DROP");
      }
    },
    mend: () => rules("-F"),
  };
};
