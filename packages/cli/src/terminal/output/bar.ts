const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
const LEVELS = "▁▂▃▄▅▆▇█";

/** A bar of at most `width` columns; anything above nothing shows. */
export const bar = (value: number, greatest: number, width: number): string => {
  if (value <= 0 || greatest <= 0) return "";
  const eighths = Math.max(1, Math.round((Math.min(value, greatest) / greatest) * width * 8));
  return "█".repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? "");
};

/** One column a value; nothing at all is blank. */
export const spark = (values: readonly number[], greatest: number = Math.max(0, ...values)): string =>
  values
    .map((value) => {
      if (value <= 0 || greatest <= 0) return " ";
      return LEVELS[Math.min(LEVELS.length - 1, Math.floor((value / greatest) * LEVELS.length))] ?? "█";
    })
    .join("");
