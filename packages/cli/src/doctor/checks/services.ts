import type { HomeExamination, Service } from "@aigw/core";
import type { Finding } from "../finding.ts";
import { type ProbeResult, probe, reasonFor } from "../probe.ts";

const TIMEOUT_MS = 3_000;

/** A HEAD request to each upstream, without its API key: any answer will do. */
export const checkServices = async ({ store }: HomeExamination): Promise<readonly Finding[]> => {
  if (store === undefined) return [];
  const services = await store.control.services();
  if (services.length === 0) {
    const fix = "aigw service add <name> <url>";
    return [{ code: "service_none", about: "service", message: "There is no service to call.", fix }];
  }
  return Promise.all(services.map(lookAtService));
};

/** One request to one upstream, of 3 s at most. Never throws. */
export const lookAtService = async (service: Pick<Service, "name" | "url">): Promise<Finding> =>
  judgeService(service, await probe(service.url, { method: "HEAD", timeoutMs: TIMEOUT_MS, verify: true }));

export const judgeService = ({ name, url }: Pick<Service, "name" | "url">, result: ProbeResult): Finding => {
  const about = `service ${name}`;
  const fix = `start it, or: aigw service set ${name} --url <url>`;
  if (result.kind === "silent") {
    return { code: "service_silent", about, message: `${url} takes connections, but does not answer HEAD.`, fix };
  }
  if (result.kind === "answer") {
    // The gateway of a service that is down; 501 only says that there is no HEAD.
    if ([502, 503, 504].includes(result.status)) {
      return { code: "service_failing", about, message: `${url} answers ${result.status}.`, fix };
    }
    return { code: "service_answers", about, message: `${url} answers` };
  }
  const message = `${url} cannot be reached: ${reasonFor(result.code)}.`;
  if (/CERT|SELF_SIGNED|ISSUER|SIGNATURE|ALTNAME/.test(result.code)) {
    return {
      code: "service_untrusted",
      about,
      message: `The certificate of ${url} is not accepted: ${result.code}.`,
      fix: "give it a valid one, or start aigw with NODE_EXTRA_CA_CERTS=<your CA's file>",
    };
  }
  return { code: "service_unreachable", about, message, fix };
};
