/** Processor time of this thread so far, milliseconds: what else the machine does is no matter. */
export const threadMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
};
