import { connect, type Socket } from "node:net";
import { aigw, startGatewayProcess } from "../../support/aigw.ts";
import { prepareHome } from "../../support/prepared-home.ts";
import { within } from "../../support/until.ts";
import { atMost, never, type Row } from "../row.ts";

/** What is compared: a name that nobody has, a wrong password, a revoked client with its right password. */
const KINDS = ["unknown", "wrong", "revoked"] as const;
type Kind = (typeof KINDS)[number];

/** Above it two distributions are called different. */
const WELCH_T = 4.5;

/** One login on a connection of its own from its own address: the bounds on guessing count by source. */
const attempt = (url: string, localAddress: string, body: string): Promise<{ ms: number; answer: string }> => {
  const { hostname, port } = new URL(url);
  const login = new Promise<{ ms: number; answer: string }>((settle, reject) => {
    const socket: Socket = connect({ host: hostname, port: Number(port), localAddress });
    let answer = "";
    let sentAt = 0;
    socket.setNoDelay(true);
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      if (answer === "") answered = performance.now();
      answer += text;
    });
    let answered = 0;
    socket.on("error", reject);
    socket.on("close", () => settle({ ms: answered - sentAt, answer }));
    socket.on("connect", () => {
      sentAt = performance.now();
      socket.write(
        `POST /auth/token HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
    });
  });
  return within("a login", login);
};

/** Everything of an answer that may not differ. */
const shape = (answer: string): string => answer.replace(/^date: .*$/im, "").replace(/^x-request-id: .*$/im, "");

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const variance = (values: readonly number[], about: number): number =>
  values.reduce((sum, value) => sum + (value - about) ** 2, 0) / (values.length - 1);

/** Welch's t of two samples, each without its slowest hundredth: what the machine does now and then is no difference. */
const welch = (one: readonly number[], other: readonly number[]): number => {
  const kept = [one, other].map((values) => values.toSorted((a, b) => a - b).slice(0, Math.ceil(values.length * 0.99)));
  const [a = [], b = []] = kept;
  const [ma, mb] = [mean(a), mean(b)];
  return (ma - mb) / Math.sqrt(variance(a, ma) / a.length + variance(b, mb) / b.length);
};

export const whoExists: Row = {
  name: "who-exists",
  promise: "Unknown, wrong, revoked: same bytes, same header fields, times that cannot be told apart (2,000 of each)",
  minutes: 15,
  onMongodb: true,
  run: async (run) => {
    const { home, passwords } = await prepareHome(run, { clients: { john: {}, gone: {} } });
    const revoked = await aigw(home, ["client", "revoke", "gone", "--yes"]);
    if (revoked.code !== 0) throw new Error(revoked.stderr);
    const { url } = await startGatewayProcess(run, home);
    const bodies: Record<Kind, string> = {
      unknown: "username=jean&password=Wr0ng-password-xy",
      wrong: "username=john&password=Wr0ng-password-xy",
      revoked: `username=gone&password=${encodeURIComponent(passwords["gone"] ?? "")}`,
    };
    const times: Record<Kind, number[]> = { unknown: [], wrong: [], revoked: [] };
    const shapes = new Set<string>();
    const each = run.size(2_000, 40);
    let source = 0;
    for (let round = 0; round < each; round += 1) {
      // In a new order each time, so that no kind is always the one behind another.
      for (const kind of KINDS.toSorted(() => Math.random() - 0.5)) {
        source += 1;
        const address = `127.${1 + (source >> 16)}.${(source >> 8) & 255}.${source & 255}`;
        const { ms, answer } = await attempt(url, address, bodies[kind]);
        if (round > 0) times[kind].push(ms);
        shapes.add(shape(answer));
      }
      if (round % 500 === 499) run.say(`${round + 1} of ${each}`);
    }
    const lengths =
      Math.max(...KINDS.map((kind) => bodies[kind].length)) - Math.min(...KINDS.map((kind) => bodies[kind].length));
    if (lengths > 40) throw new Error("the requests differ too much themselves");
    run.say(KINDS.map((kind) => `${kind}: mean ${mean(times[kind]).toFixed(3)} ms`).join(", "));
    return [
      never("answers that differ in anything but date and request id", shapes.size - 1, 3 * each),
      atMost("Welch |t|, unknown against wrong", Math.abs(welch(times.unknown, times.wrong)), WELCH_T, ""),
      atMost("Welch |t|, revoked against wrong", Math.abs(welch(times.revoked, times.wrong)), WELCH_T, ""),
      atMost("Welch |t|, unknown against revoked", Math.abs(welch(times.unknown, times.revoked)), WELCH_T, ""),
    ];
  },
};
