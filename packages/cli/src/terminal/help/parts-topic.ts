import { wrap } from "../output/wrap.ts";
import type { Topic } from "./topic.ts";

export interface Part {
  readonly title: string;
  readonly points: readonly string[];
}

/** A topic of points under headings. @param field what they are called in JSON */
export const partsTopic = (about: string, field: string, parts: readonly Part[]): Topic => ({
  about,
  answer: () => ({
    json: () => ({ [field]: parts }),
    quiet: () => parts.map(({ title }) => title),
    text: (view) =>
      parts
        .map(({ title, points }) =>
          [
            view.style.bold(title),
            ...points.flatMap((point) =>
              wrap(point, view.width - 4).map((line, index) => `${index === 0 ? "  - " : "    "}${line}`),
            ),
          ].join("\n"),
        )
        .join("\n\n"),
  }),
});
