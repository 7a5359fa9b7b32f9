import { parseArgs } from "node:util";
import { startOcrService } from "./server.ts";

const USAGE = `usage: node src/main.ts [--host 127.0.0.1] [--port 9000]
  OCR_API_KEY  when set, requests need it in the header X-Api-Key
`;

interface Address {
  readonly host: string;
  readonly port: number;
}

function addressFrom(argv: readonly string[]): Address {
  const options = {
    host: { type: "string", default: "127.0.0.1" },
    port: { type: "string", default: "9000" },
  } as const;
  const { values } = parseArgs({ args: [...argv], options });
  const port = Number(values.port);
  if (!/^\d{1,5}$/.test(values.port) || port > 65_535) throw new Error("--port is a number from 0 to 65535");
  return { host: values.host, port };
}

async function main(argv: readonly string[]): Promise<void> {
  if (argv.includes("--help")) {
    process.stdout.write(USAGE);
    return;
  }
  const service = await startOcrService({ ...addressFrom(argv), apiKey: process.env.OCR_API_KEY });
  // The same signal again finds no listener and ends the process at once.
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => service.close().catch(fail));
  process.stdout.write(`OCR service listening on ${service.url}\n`);
}

function fail(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

main(process.argv.slice(2)).catch(fail);
