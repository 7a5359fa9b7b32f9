import { createServer } from "node:net";
import type { HomeExamination } from "@aigw/core";
import { whoRuns } from "../../app/who-runs.ts";
import type { Found } from "../finding.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * May `aigw serve` listen there?
 * @param asked what the command line names; absent, the default, unless gateways run elsewhere
 */
export const checkPort = async ({ store }: HomeExamination, asked: Partial<Address>): Promise<readonly Found[]> => {
  const running = await gatewayPorts(store);
  const isAsked = asked.host !== undefined || asked.port !== undefined;
  if (!isAsked && running.length > 0) {
    return running.map((port) => ({ code: "port_ours", about: `port ${port}`, message: "held by our own gateway" }));
  }
  const { host = "127.0.0.1", port = 8080 } = asked;
  const problem = await tryToListen({ host, port });
  return [judgePort({ host, port }, problem, running)];
};

export const judgePort = ({ host, port }: Address, problem: string | undefined, ours: readonly number[]): Found => {
  const about = `port ${port}`;
  if (problem === undefined) return { code: "port_free", about, message: `free on ${host}` };
  if (problem === "EADDRINUSE") {
    if (ours.includes(port)) return { code: "port_ours", about, message: "held by our own gateway" };
    return {
      code: "port_taken",
      about,
      message: `${host} port ${port} is held by another program.`,
      command: `aigw serve --port ${port < 65_535 ? port + 1 : port - 1}; who holds it: ss -ltnp 'sport = :${port}'`,
    };
  }
  const reason = problem === "EACCES" ? "this user may not take a port below 1024" : `the system says ${problem}`;
  return {
    code: "port_unusable",
    about,
    message: `Nothing can listen on ${host} port ${port}: ${reason}.`,
    command: "aigw serve --host 127.0.0.1 --port 8080",
  };
};

const gatewayPorts = async (store: HomeExamination["store"]): Promise<readonly number[]> => {
  const { gateways } = store === undefined ? { gateways: [] } : await whoRuns(store.traffic);
  const ports = gateways.map(({ address }) => {
    const { port, protocol } = new URL(address);
    return Number(port || (protocol === "https:" ? 443 : 80));
  });
  return [...new Set(ports)];
};

/** Holds the port for an instant. @returns the system's code for why not */
const tryToListen = ({ host, port }: Address): Promise<string | undefined> =>
  new Promise((settle) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => settle(error.code ?? "failed"));
    server.listen({ host, port, exclusive: true }, () => server.close(() => settle(undefined)));
  });
