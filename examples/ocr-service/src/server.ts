import { once } from "node:events";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { createHandler } from "./handler.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { openReader } from "./reader.ts";

export type { Limits } from "./limits.ts";

export interface OcrServiceOptions {
  readonly host?: string | undefined;
  /** 0 takes a free port. */
  readonly port?: number | undefined;
  /** When set, every request but `GET /health` needs it in `X-Api-Key`. */
  readonly apiKey?: string | undefined;
  readonly limits?: Partial<Limits> | undefined;
  /** Hears errors that nobody foresaw; stderr unless set. */
  readonly onFault?: ((fault: unknown) => void) | undefined;
}

export interface OcrService {
  /** Without a trailing slash. */
  readonly url: string;
  /** Lets the picture being read finish (at most `drainMs`), refuses those that wait, leaves nothing open. */
  close(): Promise<void>;
}

/** Resolves once the language data is loaded and the port is open. */
export async function startOcrService(options: OcrServiceOptions = {}): Promise<OcrService> {
  const { host = "127.0.0.1", port = 0, apiKey, onFault = reportFault } = options;
  // An empty key is a secret that failed to arrive, not a wish to be open.
  if (apiKey === "") throw new Error("the API key is empty");
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const reader = await openReader(limits);
  let closing: Promise<void> | undefined;

  const server = createServer({ headersTimeout: 10_000, requestTimeout: 60_000, connectionsCheckingInterval: 5_000 });
  server.on("request", createHandler({ reader, limits, apiKey, isClosing: () => closing !== undefined, onFault }));
  try {
    server.listen(port, host);
    await once(server, "listening");
  } catch (error) {
    await reader.close();
    throw error;
  }

  async function shutDown(): Promise<void> {
    const closed = once(server, "close");
    server.close();
    await reader.close();
    // Time for the last answers to leave; then slow uploads are cut.
    await Promise.race([closed, sleep(1_000, undefined, { ref: false })]);
    server.closeAllConnections();
    await closed;
  }

  return {
    url: urlOf(server.address(), host),
    close() {
      closing ??= shutDown();
      return closing;
    },
  };
}

function urlOf(address: ReturnType<ReturnType<typeof createServer>["address"]>, host: string): string {
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`;
}

function reportFault(fault: unknown): void {
  process.stderr.write(`${fault instanceof Error ? (fault.stack ?? fault.message) : String(fault)}\n`);
}
