import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { makeRoom } from "../src/queue/make-room.ts";
import { addTicket, newLine, type Ticket } from "../src/queue/queue-line.ts";
import { EMPTY_QUEUE, type QueueRecord, type WaitingCalls, waitingIn, withTurns } from "../src/queue/queue-record.ts";

/** A record as it is read from the store, in which one call of each client waits. */
const recordOf = (clients: number): QueueRecord => {
  const waiting: Record<string, WaitingCalls> = {};
  for (let n = 0; n < clients; n += 1) waiting[`c_${n}`] = [1, 1_000 + n, 1_000 + n, 1];
  const holder = { seq: 1, until: 1_000_000, slots: 0, given: {}, waiting };
  return JSON.parse(JSON.stringify({ ...EMPTY_QUEUE, holders: { "gw-1": holder } }));
};

/** Processor time of this process, milliseconds: what others have of the machine does not count. */
const spentBy = (work: () => void): number => {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
};

describe("a queue in which thousands of clients wait", () => {
  it("gives out a turn in milliseconds", () => {
    let record = recordOf(4_000);
    const spent = spentBy(() => {
      record = withTurns(record, 5);
    });
    assert.equal(waitingIn(record), 3_995);
    assert.deepEqual(record.holders["gw-1"]?.given, { c_0: 1, c_1: 1, c_2: 1, c_3: 1, c_4: 1 });
    assert.ok(spent < 500, `${spent} ms`);
  });

  it("makes room for hundreds of calls in milliseconds", () => {
    const record = recordOf(4_000);
    const line = newLine({ key: "s_1", concurrency: 1, most: 3_600, waitMs: 30_000 });
    for (let n = 0; n < 4_000; n += 1) addTicket(ticketOf(line, `c_${n}`));
    let made: ReturnType<typeof makeRoom> | undefined;
    const spent = spentBy(() => {
      made = makeRoom(line, "gw-1", record, 3_600);
    });
    assert.equal(made?.refused.length, 400);
    assert.equal(made && waitingIn(made.next), 3_600);
    assert.ok(spent < 500, `${spent} ms`);
  });
});

const ticketOf = (line: Ticket["line"], client: string): Ticket => ({
  call: { client, weight: () => 1, mayWait: () => true, onTurn: () => undefined, onRefused: () => undefined },
  line,
  at: 0,
  endedAt: 0,
  state: "waits",
  why: undefined,
  isAtOnce: false,
  isEntering: false,
  written: 0,
});
