import type { Instance } from "../store/store.ts";

/** What people are told a gateway by, such as `http://127.0.0.1:8080`, or `http://127.0.0.1:8080 worker 2`. */
export const gatewayName = ({ address, worker }: Pick<Instance, "address" | "worker">): string =>
  worker === undefined ? address : `${address} worker ${worker}`;

/** As people read them: by address, and the workers behind one in turn. */
export const byGatewayName = (
  a: Pick<Instance, "address" | "worker">,
  b: Pick<Instance, "address" | "worker">,
): number => (a.address === b.address ? (a.worker ?? 0) - (b.worker ?? 0) : a.address < b.address ? -1 : 1);
