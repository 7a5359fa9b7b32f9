import { ENVIRONMENT } from "../../app/environment.ts";
import { escapeText } from "../output/escape.ts";
import { prose, wrap } from "../output/wrap.ts";
import type { Topic } from "./topic.ts";

const GAP = 2;

export const environmentTopic: Topic = {
  about: "the environment variables that aigw reads",
  answer: () => ({
    json: () => ({ variables: ENVIRONMENT }),
    quiet: () => ENVIRONMENT.map(({ name }) => name),
    text: (view) => {
      const width = Math.max(...ENVIRONMENT.map(({ name }) => name.length)) + GAP;
      const lines = ENVIRONMENT.flatMap(({ name, about }) =>
        wrap(escapeText(about), view.width - width).map(
          (line, index) => `${index === 0 ? view.style.bold(name.padEnd(width)) : " ".repeat(width)}${line}`,
        ),
      );
      return [
        prose(view, "Precedence: flag, environment, stored setting (aigw config list), default."),
        "",
        ...lines,
      ].join("\n");
    },
  }),
};
