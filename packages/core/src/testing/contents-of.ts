import type { ControlState } from "../changes/control-state.ts";
import type { Client } from "../clients/client.ts";

/** What deepEqual sees of a state, which sees nothing of the clients' table; packed, as a gateway has them. */
export const contentsOf = (state: ControlState): Omit<ControlState, "clients"> & { clients: Map<string, Client> } => {
  state.clients.pack(Number.POSITIVE_INFINITY);
  return { ...state, clients: new Map([...state.clients.values()].map((client) => [client.name, client])) };
};
