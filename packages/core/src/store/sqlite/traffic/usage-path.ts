/** `/data/aigw.db` → `/data/aigw.usage.db`: the file for usage and permits beside the control database. */
export const usagePathOf = (path: string): string => `${path.replace(/\.db$/, "")}.usage.db`;
