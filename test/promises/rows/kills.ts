import { startGatewayProcess } from "../../support/aigw.ts";
import { startEcho } from "../../support/http.ts";
import { Aim, ATTEMPTS, type Attempt, killOnce, type Reached, timeOf } from "../../support/killed-command.ts";
import { type KilledGateway, killUnderLoad } from "../../support/killed-gateway.ts";
import { prepareHome, UNLIMITED } from "../../support/prepared-home.ts";
import { atMost, never, quantile, type Row } from "../row.ts";

const READY_WITHIN_MS = 2_000;

export const gatewayKills: Row = {
  name: "gateway-kills",
  promise:
    "kill -9 of the gateway at a random moment under load, 28 times: nothing acknowledged or flushed is lost or twice",
  minutes: 8,
  onMongodb: true,
  run: async (run) => {
    const echo = await startEcho(run);
    const { home, passwords } = await prepareHome(run, { services: { echo: echo.url }, clients: { john: UNLIMITED } });
    const kills: KilledGateway[] = [];
    for (let round = 0; round < run.size(28, 2); round += 1)
      kills.push(await killUnderLoad(run, { home, password: passwords["john"] ?? "", prefix: `r${round}` }));
    const sum = (of: (kill: KilledGateway) => number): number => kills.reduce((total, kill) => total + of(kill), 0);
    const due = sum((kill) => kill.due);
    const changes = sum((kill) => kill.changes);
    return [
      never(
        "acknowledged admin changes lost",
        sum((kill) => kill.lostChanges),
        changes,
      ),
      never(
        "usage events older than 200 ms lost",
        sum((kill) => kill.lost.length),
        due,
      ),
      never(
        "events that are there twice",
        sum((kill) => kill.repeated.length),
        due,
      ),
      never(
        "events of calls that were never made",
        sum((kill) => kill.madeUp.length),
        due,
      ),
      never(
        "answers other than 200",
        sum((kill) => kill.wrongAnswers.length),
        due,
      ),
      atMost("ready again, the slowest", Math.max(...kills.map(({ readyMs }) => readyMs)), READY_WITHIN_MS, "ms"),
      atMost(
        "ready again, median",
        quantile(
          kills.map(({ readyMs }) => readyMs),
          0.5,
        ),
        READY_WITHIN_MS,
        "ms",
      ),
    ];
  },
};

const LANES = 3;

export const commandKills: Row = {
  name: "command-kills",
  promise: "kill -9 of the command line at any point of any command, 120 times: before or after, never between",
  minutes: 8,
  onMongodb: true,
  run: async (run) => {
    const reached: Record<Reached, number> = { before: 0, between: 0, after: 0 };
    const kills = run.size(120, 9);
    const broken: string[] = [];
    const lane = async (number: number): Promise<void> => {
      const { home } = await prepareHome(run, { clients: { john: {}, mary: {} } });
      // Then commands wait for its receipt, which is one more moment to be killed at.
      if (number === 0) await startGatewayProcess(run, home);
      const aim = new Aim(await timeOf(home, ["client", "set", "john", "--note", "works"]));
      for (let round = 0; round < kills / LANES; round += 1) {
        const attempt = ATTEMPTS[(round * LANES + number) % ATTEMPTS.length] as Attempt;
        try {
          const end = await killOnce(home, attempt, `${number}-${round}`, aim.next());
          aim.learn(end);
          reached[end] += 1;
        } catch (error) {
          broken.push(String(error));
        }
      }
    };
    await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)));
    for (const line of broken) run.say(line);
    run.say(`before: ${reached.before}, published and not yet signing: ${reached.between}, after: ${reached.after}`);
    return [
      never("commands that left something between", broken.length, kills),
      {
        what: "kills before / after the act",
        seen: `${reached.before} / ${reached.after}`,
        promised: "both occur",
        kept: reached.before > 0 && reached.after > 0,
      },
    ];
  },
};
