import type { Permit } from "@aigw/core";
import type { Job } from "@aigw/core/jobs";
import { exposing } from "../cors/cors-answer.ts";
import type { Taken } from "../jobs/job-intake.ts";
import { jobTakenFields, jobText } from "../jobs/job-json.ts";
import { refuseAndClose, refuseAndCut } from "../proxy/lingering-close.ts";
import { answerJson } from "../routes/answer.ts";
import { TOKEN_ENDED } from "../unauthorized.ts";
import { answerFields } from "./answer-fields.ts";
import type { ApiCall } from "./api-call.ts";

/** Answers the request that has become a job. */
export const answerTaken = (call: ApiCall, clientName: string, permit: Permit, job: Job): void => {
  const fields = [...jobTakenFields(job), ...answerFields(clientName, permit, undefined)];
  const { incoming, outgoing, path: target, requestId, expectsContinue } = call;
  const cors = { ...call.cors, own: exposing(call.cors.own, "Location", "Preference-Applied") };
  const request = { incoming, outgoing, target, requestId, expectsContinue, cors };
  answerJson(request, 202, jobText(job, undefined), fields);
};

export type Broken = Extract<Taken, { kind: "broken" }>;

/** How a request ends that did not come to its own end, as its usage says. */
export const brokenAs = ({
  why,
}: Broken): { readonly outcome: "revoked" | "aborted"; readonly status: 0 | 401 | 408 } => {
  if (why === "revoked") return { outcome: "revoked", status: 401 };
  return { outcome: "aborted", status: why === "left" ? 0 : 408 };
};

/** Tells its client, where it is still there. */
export const answerBroken = ({ incoming, outgoing, requestId, cors }: ApiCall, { why }: Broken): void => {
  if (why === "left") incoming.socket.destroy();
  else if (why === "revoked") {
    const { fields, ...refusal } = TOKEN_ENDED;
    refuseAndCut(incoming, outgoing, { ...refusal, requestId }, [...fields, ...cors.own]);
  } else {
    const detail = "The rest of the request did not arrive in time.";
    refuseAndClose(incoming, outgoing, { code: "request_timeout", detail, requestId }, cors.own);
  }
};
