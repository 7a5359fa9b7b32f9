import { type AddressInfo, createServer } from "node:net";

/** For programs that cannot be told to take any free port and say which. */
export const freePort = async (): Promise<number> => {
  const server = createServer();
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
};
