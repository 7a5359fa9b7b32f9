import type { Clock, HomeExamination, MeteredCalls, Sealer, Service } from "@aigw/core";
import { RECENT_MS, readTurnedAway, type TurnedAway } from "@aigw/core/insight";
import { readQueues, type SeenQueue } from "@aigw/core/queue";
import { type DownTarget, downTargets, FAULTS, type FaultKind, targetsOf } from "@aigw/core/services";
import type { ProbeResult } from "@aigw/runtime/probe";
import { runningGateways } from "../../app/who-runs.ts";
import { meterWords } from "../../findings/meter-words.ts";
import { moreRoom, queueWords } from "../../findings/queue-words.ts";
import { downWords } from "../../findings/target-words.ts";
import { counted } from "../../terminal/output/words.ts";
import type { FindingCode, Found } from "../finding.ts";
import { meteredCalls, serviceUse, withUse } from "./calls.ts";

const TIMEOUT_MS = 3_000;

/** A HEAD request to each upstream, without its API key: any answer will do. And how calls fared lately. */
export const checkServices = async ({ store, sealer }: HomeExamination, clock: Clock): Promise<readonly Found[]> => {
  if (store === undefined) return [];
  const services = await store.control.services();
  if (services.length === 0) {
    const command = "aigw service add <name> <url>";
    return [{ code: "service_none", about: "service", message: "There is no service to call.", command }];
  }
  const uses = await serviceUse(store.traffic, clock);
  const down = downTargets(await runningGateways(store.traffic));
  const metered = await meteredCalls(store.traffic, clock);
  const queues = await readQueues(store, services);
  const turnedAway = await readTurnedAway(store.traffic, services, clock.now() - RECENT_MS);
  const found = services.map(async (service) => {
    const [first, ...others] = await lookAtService(service, sealer);
    if (first === undefined) return [];
    const seen = down.filter((target) => target.service === service.name).map(asSeen);
    return [
      ...withUse(first, service.name, uses.get(service.name)),
      ...others,
      ...seen,
      ...outOfUse(service),
      ...queues.filter((queue) => queue.service === service.name).flatMap((queue) => busy(queue, turnedAway)),
      ...notRead(service, metered),
    ];
  });
  return (await Promise.all(found)).flat();
};

/** What the gateways say, which is not what a look from here has to find. */
const asSeen = (target: DownTarget): Found => ({
  code: "service_target_down",
  about: `service ${target.service}`,
  message: `${downWords(target)}, as ${counted(target.gateways, "gateway")} ${target.gateways === 1 ? "sees" : "see"} it.`,
  command: `aigw service show ${target.service}`,
});

/** More wait than may, now or in the last 15 minutes. */
const busy = (queue: SeenQueue, turnedAway: TurnedAway): readonly Found[] => {
  const calls = turnedAway.services.get(queue.service) ?? 0;
  const late = turnedAway.late.get(queue.service) ?? 0;
  const isFull = queue.waiting > 0 && queue.waiting >= queue.most;
  if (calls === 0 && !isFull) return [];
  const lately = calls === 0 ? "" : ` ${counted(calls, "call")} got 503 in the last 15 minutes for want of room.`;
  return [
    {
      code: "service_busy",
      about: `service ${queue.service}`,
      message: `Its queue ${isFull ? "is full" : "was full, or calls waited for too long"}: ${queueWords(queue)}.${lately}`,
      command: moreRoom(queue.service, queue, !isFull && late * 2 > calls),
    },
  ];
};

/** What its meter made of the calls of the last 15 minutes. */
const notRead = (service: Service, metered: readonly MeteredCalls[]): readonly Found[] => {
  const calls = metered.find((known) => known.service === service.name);
  const words = calls && meterWords(service, calls, "in the last 15 minutes");
  if (words === undefined) return [];
  const { kind, message, command } = words;
  return [{ code: `service_${kind}`, about: `service ${service.name}`, message, command }];
};

const outOfUse = ({ name, disabled }: Service): readonly Found[] =>
  disabled === undefined
    ? []
    : [
        {
          code: "service_disabled",
          about: `service ${name}`,
          message: `It is out of use: clients get 503${disabled === "" ? "" : `, "${disabled}"`}.`,
          command: `aigw service enable ${name}`,
        },
      ];

/**
 * One request to each target of one service, of 3 s at most. Never throws.
 * @param sealer without it the gateway does not show its own certificate
 */
export const lookAtService = async (service: Service, sealer?: Sealer): Promise<readonly Found[]> => {
  // The gateway's own reader: another one would find other faults.
  const { connectionFacts, probeService } = await import("@aigw/runtime/probe");
  const facts = connectionFacts(sealer, service);
  const { name } = service;
  const targets = targetsOf(service);
  return Promise.all(
    targets.map(async ({ url }) =>
      judgeService({ name, url }, await probeService(url, TIMEOUT_MS, facts), targets.length > 1),
    ),
  );
};

const CODES: Readonly<Record<FaultKind, FindingCode>> = {
  unreachable: "service_unreachable",
  broken: "service_unreachable",
  gateway: "service_unreachable",
  untrusted: "service_untrusted",
  invalid: "service_invalid",
  late: "service_silent",
  down: "service_unreachable",
};

/** @param isOneOfSeveral targets, and `url` is its own */
export const judgeService = (
  { name, url }: Pick<Service, "name" | "url">,
  result: ProbeResult,
  isOneOfSeveral = false,
): Found => {
  const about = `service ${name}`;
  const change = isOneOfSeveral
    ? `aigw service set ${name} --remove-target ${url}`
    : `aigw service set ${name} --url <url>`;
  if (result.kind === "answer") {
    // The gateway of a service that is down; 501 only says that there is no HEAD.
    if ([502, 503, 504].includes(result.status)) {
      const command = `start it, or: ${change}`;
      return { code: "service_failing", about, message: `${url} answers ${result.status}.`, command };
    }
    return { code: "service_answers", about, message: `${url} answers` };
  }
  const { fault, code } = result;
  const { kind, what, remedy } = FAULTS[fault];
  if (kind === "late") {
    const message = `${url} takes connections, but does not answer HEAD within ${TIMEOUT_MS / 1000} s.`;
    return { code: "service_silent", about, message, command: `find out what keeps it, or: ${change}` };
  }
  const message = `${url} gives no answer: ${what} (${[fault, ...(code === "" ? [] : [code])].join(", ")}).`;
  return { code: CODES[kind], about, message, command: /\bURL\b/.test(remedy) ? `${remedy} ${change}` : remedy };
};
