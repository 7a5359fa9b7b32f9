import type { Sealer } from "../sealing/sealer.ts";
import type { SealedHeader, Service } from "./service.ts";

export const sealHeader = (sealer: Sealer, name: string, value: string): SealedHeader => ({
  name,
  sealedValue: sealer.seal("service-header", Buffer.from(value, "latin1")),
});

/** A service's own headers in the clear: name, value. Only the gateway that sets them asks. */
export const openHeaders = (sealer: Sealer, service: Service): readonly (readonly [string, string])[] =>
  service.headers.map(({ name, sealedValue }) => [
    name,
    Buffer.from(sealer.open("service-header", sealedValue)).toString("latin1"),
  ]);
