// What lies beside the control database `/data/aigw.db`, whose name need not end in `.db`.

/** `/data/aigw.usage.db`: usage and permits. */
export const usagePathOf = (path: string): string => `${stemOf(path)}.usage.db`;

/** `/data/aigw.gateways`: the folder in which running gateways say that they run. */
export const presencePathOf = (path: string): string => `${stemOf(path)}.gateways`;

/** `/data/aigw.reserve`: space that is taken beforehand. */
export const reservePathOf = (path: string): string => `${stemOf(path)}.reserve`;

const stemOf = (path: string): string => path.replace(/\.db$/, "");
