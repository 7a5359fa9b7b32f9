import type { ReviewFacts } from "@aigw/core";
import type { Finding } from "./finding.ts";
import { meterWords } from "./meter-words.ts";

/** Closed and stable: scripts go by it. */
export type ServiceReviewCode = "mostly_unread" | "mostly_estimated";

export interface ServiceReviewFinding extends Finding<ServiceReviewCode> {
  readonly service: string;
}

/** What an admin should look at of the services, in their order; empty when there is nothing. */
export const reviewServices = ({ services, metered }: ReviewFacts): readonly ServiceReviewFinding[] =>
  services.flatMap((service) => {
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
  });
