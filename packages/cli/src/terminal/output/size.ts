const UNITS = ["KiB", "MiB", "GiB", "TiB"] as const;

/** `512 B`, `1.4 MiB`. */
export const formatBytes = (bytes: number): string => {
  let value = bytes;
  let shown = "B";
  for (const unit of UNITS) {
    if (value < 1024) break;
    value /= 1024;
    shown = unit;
  }
  return `${shown === "B" || value >= 100 ? Math.round(value) : value.toFixed(1)} ${shown}`;
};
