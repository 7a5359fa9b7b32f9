import { type DownTarget, faultWords } from "@aigw/core/services";
import { rfc3339 } from "../terminal/output/time.ts";

/** `http://gpu1:9000 is down since …: its host refused the connection …`. */
export const downWords = ({ url, since, reason }: DownTarget): string => {
  const why = reason === "unhealthy" ? "its health check got another status" : faultWords(reason ?? "")?.what;
  return `${url} is down since ${rfc3339(since)}${why === undefined ? "" : `: ${why}`}`;
};
