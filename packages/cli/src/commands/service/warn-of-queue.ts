import type { Service } from "@aigw/core";
import type { Context } from "../../app/context.ts";
import { counted } from "../../terminal/output/words.ts";

type Known = Pick<Service, "name" | "fallback" | "queue">;

/** Warns of fallbacks that have slots: calls of two services wait for them. @param whose all whose fallbacks may be new */
export const warnOfQueue = async (ctx: Context, whose: readonly Known[], all: readonly Known[]): Promise<void> => {
  for (const { name, fallback } of whose) {
    const queue = all.find((service) => service.name === fallback)?.queue;
    if (fallback === undefined || queue === undefined) continue;
    const slots = counted(queue.concurrency, "call");
    await ctx.out.warn(
      `${fallback} takes ${slots} at once: while ${name} is down, its calls wait there in turn with ${fallback}'s own, and those that find ${name} down on their way come on top. Set its slots with that in mind: aigw service set ${fallback} --concurrency N`,
    );
  }
};
