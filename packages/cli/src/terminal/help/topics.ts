import { environmentTopic } from "./environment-topic.ts";
import { exitCodesTopic } from "./exit-codes-topic.ts";
import { scriptingTopic } from "./scripting-topic.ts";
import { securityTopic } from "./security-topic.ts";
import type { Topic } from "./topic.ts";
import type { TopicName } from "./topic-names.ts";

export const TOPICS: Readonly<Record<TopicName, Topic>> = {
  environment: environmentTopic,
  "exit-codes": exitCodesTopic,
  scripting: scriptingTopic,
  security: securityTopic,
};
