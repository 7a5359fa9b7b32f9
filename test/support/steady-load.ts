import { Agent, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";

export interface Tally {
  /** By status; 0 for a call that broke off. */
  readonly statuses: ReadonlyMap<number, number>;
  readonly calls: number;
  readonly failed: number;
  /** Bodies by their first word. */
  readonly by: ReadonlyMap<string, number>;
  readonly longestMs: number;
}

/** Sends calls at a steady pace until it is stopped, whatever becomes of them, and counts. */
export class SteadyLoad {
  readonly #url: string;
  readonly #options: { readonly method: string; readonly headers: Record<string, string>; readonly body?: string };
  readonly #agent = new Agent({ keepAlive: true });
  readonly #statuses = new Map<number, number>();
  readonly #by = new Map<string, number>();
  readonly #running: Promise<void>;
  #begun = 0;
  #inFlight = 0;
  #longestMs = 0;
  #stopped = false;

  /** @param perSecond in batches every 10 ms */
  constructor(
    url: string,
    perSecond: number,
    options: { readonly method: string; readonly headers: Record<string, string>; readonly body?: string },
  ) {
    this.#url = url;
    this.#options = options;
    this.#running = this.#run(perSecond);
  }

  /** Calls that are not answered yet. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Calls that were sent so far. */
  get begun(): number {
    return this.#begun;
  }

  /** How many answers began with this word. */
  answersOf(word: string): number {
    return this.#by.get(word) ?? 0;
  }

  async stop(): Promise<Tally> {
    this.#stopped = true;
    await this.#running;
    while (this.#inFlight > 0) await delay(5);
    this.#agent.destroy();
    const calls = [...this.#statuses.values()].reduce((sum, count) => sum + count, 0);
    return {
      statuses: this.#statuses,
      calls,
      failed: calls - (this.#statuses.get(200) ?? 0),
      by: this.#by,
      longestMs: this.#longestMs,
    };
  }

  async #run(perSecond: number): Promise<void> {
    const started = performance.now();
    for (let sent = 0; !this.#stopped; await delay(10)) {
      const due = ((performance.now() - started) * perSecond) / 1_000;
      for (; sent < due; sent += 1) this.#send();
    }
  }

  #send(): void {
    const started = performance.now();
    this.#begun += 1;
    this.#inFlight += 1;
    const end = (status: number, body: string): void => {
      this.#inFlight -= 1;
      this.#longestMs = Math.max(this.#longestMs, performance.now() - started);
      this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1);
      const [word = ""] = body.split(" ");
      this.#by.set(word, (this.#by.get(word) ?? 0) + 1);
    };
    const { method, headers, body } = this.#options;
    const outgoing = request(this.#url, { method, headers, agent: this.#agent }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => end(response.statusCode ?? 0, text));
      response.on("error", () => end(0, ""));
    });
    outgoing.on("error", () => end(0, ""));
    outgoing.end(body);
  }
}
