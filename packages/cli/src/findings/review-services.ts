import type { ReviewFacts, Service } from "@aigw/core";
import { grouped, humanMs } from "../terminal/output/figures.ts";
import { counted } from "../terminal/output/words.ts";
import type { Finding } from "./finding.ts";
import { meterWords } from "./meter-words.ts";
import { moreRoom } from "./queue-words.ts";

/** Closed and stable: scripts go by it. */
export type ServiceReviewCode = "mostly_unread" | "mostly_estimated" | "turned_away";

export interface ServiceReviewFinding extends Finding<ServiceReviewCode> {
  readonly service: string;
}

/** What an admin should look at of the services, in their order; empty when there is nothing. */
export const reviewServices = ({ services, metered, turnedAway }: ReviewFacts): readonly ServiceReviewFinding[] =>
  services.flatMap((service) => [...overfull(service, turnedAway), ...notRead(service, metered)]);

const overfull = (
  { name, queue }: Service,
  { services, late }: ReviewFacts["turnedAway"],
): readonly ServiceReviewFinding[] => {
  const calls = services.get(name) ?? 0;
  if (queue === undefined || calls === 0) return [];
  const message = `${name} had no room for ${counted(calls, "call")} in the last 24 hours, which got 503: it takes ${grouped(queue.concurrency)} at once, and ${grouped(queue.most)} may wait, for ${humanMs(queue.waitMs)} at most.`;
  const command = moreRoom(name, queue, (late.get(name) ?? 0) * 2 > calls);
  return [{ service: name, code: "turned_away", severity: "warning", message, command }];
};

const notRead = (service: Service, metered: ReviewFacts["metered"]): readonly ServiceReviewFinding[] => {
  const calls = metered.find((known) => known.service === service.name);
  const words = calls && meterWords(service, calls, "in the last 24 hours");
  if (words === undefined) return [];
  const { kind, message, command } = words;
  return [
    {
      service: service.name,
      code: `mostly_${kind}`,
      severity: "warning",
      message: `${service.name}: ${message.charAt(0).toLowerCase()}${message.slice(1)}`,
      command,
    },
  ];
};
