import type { Service } from "@aigw/core";
import { AigwError } from "@aigw/core/errors";
import type { Choice } from "../terminal/prompter.ts";
import type { Context } from "./context.ts";

/** The services to choose from. @param aboutOf what tells them apart here @throws AigwError `not_found` when there is none */
export const serviceChoices = async (
  ctx: Context,
  aboutOf: (service: Service) => string,
): Promise<readonly Choice[]> => {
  const services = await ctx.withControl(async (control) => control.services());
  if (services.length > 0) return services.map((service) => ({ value: service.name, about: aboutOf(service) }));
  throw new AigwError("not_found", "There is no service yet. Add one: aigw service add <name> <url>");
};
