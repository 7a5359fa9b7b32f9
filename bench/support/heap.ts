/** Asks a process that was started with `--inspect=127.0.0.1:<port>`. */
interface Told {
  readonly id?: number;
  readonly result?: Readonly<Record<string, number>>;
}

/**
 * What the process holds, bytes: the JavaScript heap and the buffers of it, after everything that is not used any more
 * was collected.
 */
export const heapInUse = async (port: number): Promise<number> => {
  const list = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as readonly {
    readonly webSocketDebuggerUrl: string;
  }[];
  const socket = new WebSocket(list[0]?.webSocketDebuggerUrl ?? "");
  const waiting = new Map<number, (result: Readonly<Record<string, number>>) => void>();
  socket.addEventListener("message", ({ data }) => {
    const { id = 0, result = {} } = JSON.parse(String(data)) as Told;
    waiting.get(id)?.(result);
  });
  await new Promise((ready, failed) => {
    socket.addEventListener("open", ready);
    socket.addEventListener("error", () => failed(new Error(`the inspector at port ${port} cannot be reached`)));
  });
  let asked = 0;
  const ask = (method: string): Promise<Readonly<Record<string, number>>> => {
    asked += 1;
    socket.send(JSON.stringify({ id: asked, method }));
    return new Promise((done) => waiting.set(asked, done));
  };
  try {
    // Twice: what a finalizer frees, only the next collection sees.
    await ask("HeapProfiler.collectGarbage");
    await ask("HeapProfiler.collectGarbage");
    const { usedSize = Number.NaN, backingStorageSize = 0 } = await ask("Runtime.getHeapUsage");
    return usedSize + backingStorageSize;
  } finally {
    socket.close();
  }
};
