import { AigwError, isAigwError } from "@aigw/core/errors";

/** Why a gateway cannot listen, in words; any other error as it is. */
export const listenError = (error: unknown, host: string, port: number): unknown => {
  if (isAigwError(error)) return error;
  const reason = REASONS[systemCodeOf(error) ?? ""];
  if (reason === undefined) return error;
  return new AigwError("failed", `Cannot listen on ${host}:${port}: ${reason(port)}`, { cause: error });
};

const REASONS: Readonly<Record<string, (port: number) => string>> = {
  EADDRINUSE: (port) =>
    `the port is in use. Choose another: aigw serve --port ${port < 65_535 ? port + 1 : port - 1}, or --port 0 for any.`,
  EACCES: () => "ports below 1024 need special rights. Choose another: aigw serve --port 8080",
  EADDRNOTAVAIL: () => "this machine does not have that address. Choose another with --host; 0.0.0.0 is all.",
  ENOTFOUND: () => "there is no such host. Choose another with --host; 0.0.0.0 is all.",
  EAI_AGAIN: () => "the host's name cannot be looked up. Give an address with --host.",
};

/** The system's code in an error or in what caused it, such as `EADDRINUSE`. */
export const systemCodeOf = (error: unknown): string | undefined => {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ("code" in at && typeof at.code === "string") return at.code;
  }
  return undefined;
};
