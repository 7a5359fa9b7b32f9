import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type AddServiceInput, addService } from "@aigw/core";
import { startTestGateway, type TestGateway } from "./gateway.ts";
import { type HeldService, type JobClient, jobClient, startHeldService } from "./jobs.ts";
import { UNLIMITED } from "./prepared-home.ts";
import { until } from "./until.ts";

export interface JobScene {
  readonly gateway: TestGateway;
  readonly service: HeldService;
  readonly john: JobClient;
  readonly token: string;
}

/** A gateway, a service whose calls are held, and a client whose calls become jobs. */
export const startJobScene = async (
  t: TestContext,
  jobs: NonNullable<AddServiceInput["jobs"]> = {},
  options: Parameters<typeof startTestGateway>[1] = {},
): Promise<JobScene> => {
  const service = await startHeldService(t);
  const gateway = await startTestGateway(t, options);
  const { rev } = await addService(gateway.deps, {
    name: "whisper",
    url: service.url,
    headers: [{ name: "X-API-Key", value: "sesame" }],
    jobs: { on: true, ...jobs },
  });
  await gateway.applied(rev);
  const token = await gateway.tokenFor("john", UNLIMITED);
  return { gateway, service, token, john: jobClient(gateway.url, token) };
};

export const called = (service: HeldService, count = 1) =>
  until("the service to be called", () => service.open.length >= count && service.open[count - 1]);

export const codeOf = ({ body }: { body: string }): string => (JSON.parse(body) as { code: string }).code;

export const filesOf = (gateway: TestGateway): readonly string[] =>
  readdirSync(join(gateway.home, "jobs"), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(request|answer)$/.test(name))
    .toSorted();

/** Sends the head and half of the content. */
export const halfOf = (t: TestContext, { gateway, token }: JobScene): { socket: Socket; received: () => string } => {
  const { hostname, port, host } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  let received = "";
  t.after(() => socket.destroy());
  socket.on("error", () => undefined);
  socket.setEncoding("latin1").on("data", (text: string) => {
    received += text;
  });
  socket.write(
    `POST /api/whisper/x HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\nPrefer: respond-async\r\nContent-Length: 2000000\r\n\r\n`,
  );
  socket.write(Buffer.alloc(1_000_000, 1));
  return { socket, received: () => received };
};
