import type { Client } from "../clients/client.ts";
import { AigwError } from "../errors.ts";
import type { Service } from "../services/service.ts";
import type { ControlStore } from "../store/store.ts";
import { didYouMean } from "./did-you-mean.ts";

/** @throws AigwError `not_found` */
export const findClient = async (control: ControlStore, name: string): Promise<Client> => {
  const client = await control.client(name);
  if (client !== undefined) return client;
  const names = (await control.clients()).map((known) => known.name);
  throw new AigwError(
    "not_found",
    `There is no client '${name}'.${didYouMean(name, names)} List them: aigw client list`,
    {
      details: { name },
    },
  );
};

/** @throws AigwError `not_found` */
export const findService = async (control: ControlStore, name: string): Promise<Service> => {
  const service = await control.service(name);
  if (service !== undefined) return service;
  const names = (await control.services()).map((known) => known.name);
  throw new AigwError(
    "not_found",
    `There is no service '${name}'.${didYouMean(name, names)} List them: aigw service list`,
    {
      details: { name },
    },
  );
};

/** @throws AigwError `invalid_value` when a client is to be allowed a service that does not exist */
export const assertServicesExist = async (
  control: ControlStore,
  names: readonly string[] | null | undefined,
): Promise<void> => {
  if (!names) return;
  const known = new Set((await control.services()).map((service) => service.name));
  const missing = names.find((name) => !known.has(name));
  if (missing === undefined) return;
  const choice = known.size === 0 ? "no service has been added yet" : `services are: ${[...known].join(", ")}`;
  throw new AigwError(
    "invalid_value",
    `There is no service '${missing}'; ${choice}.${didYouMean(missing, [...known])} Add it: aigw service add ${missing} <url>`,
  );
};
