import dns from "node:dns";
import { isIP, Socket } from "node:net";

// Loaded with --import, which worker threads take over too. Going out fails; taking calls stays possible.
function refuse(): never {
  throw new Error("tried to reach the network");
}

const lookup = dns.lookup;
Socket.prototype.connect = refuse;
globalThis.fetch = refuse;
// A server looks up even the address it listens on.
dns.lookup = Object.assign(
  (host: string, ...rest: unknown[]): void => {
    if (isIP(host) === 0) refuse();
    Reflect.apply(lookup, dns, [host, ...rest]);
  },
  { __promisify__: refuse },
);
