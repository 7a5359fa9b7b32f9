import type { Server } from "node:http";

/*
 * An import reads every property of a built-in module. With `node:http` that loads Node's own fetch, with `node:tls` the
 * system's root certificates: 17 MB of a gateway that needs neither (docs/decisions/085). So both are taken from Node
 * without an import, and TLS only by who uses it.
 */
export const nodeHttp: typeof import("node:http") = process.getBuiltinModule("node:http");

export const nodeHttps = (): typeof import("node:https") => process.getBuiltinModule("node:https");

export const nodeTls = (): typeof import("node:tls") => process.getBuiltinModule("node:tls");

/** Whether it was made by {@link nodeHttps}: an HTTP server of TLS has what the others lack. */
export const isTlsServer = (server: Server): boolean => "setSecureContext" in server;
