/**
 * Answers as the services' public documentation describes them, in our own words and figures: what a meter has to read
 * them as.
 */
export interface Shape {
  readonly name: string;
  readonly meter: string;
  readonly type: string;
  readonly content: string;
  readonly status?: number;
  readonly fields?: readonly string[];
  readonly trailers?: readonly string[];
  /** In whole units. */
  readonly units: Readonly<Record<string, number>>;
  readonly model?: string;
  readonly metered?: "yes" | "no" | "estimated";
  readonly problem?: string;
}

const JSON_TYPE = "application/json";
const EVENTS = "text/event-stream; charset=utf-8";
const LINES = "application/x-ndjson";

const sse = (...events: readonly unknown[]): string =>
  events.map((event) => `data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`).join("");
const named = (...events: readonly { readonly type: string }[]): string =>
  events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("");
const lines = (...values: readonly unknown[]): string => values.map((value) => `${JSON.stringify(value)}\n`).join("");

const chunk = (delta: unknown, more: object = {}): object => ({
  id: "chatcmpl-71",
  object: "chat.completion.chunk",
  created: 1_764_000_000,
  model: "qwen2.5-7b-instruct",
  choices: [{ index: 0, delta, logprobs: null, finish_reason: null }],
  ...more,
});
const usage = {
  prompt_tokens: 31,
  completion_tokens: 7,
  total_tokens: 38,
  prompt_tokens_details: { cached_tokens: 16 },
};
const chat = {
  id: "chatcmpl-70",
  object: "chat.completion",
  created: 1_764_000_000,
  model: "llama-3.1-8b-instruct",
  choices: [
    {
      index: 0,
      message: {
        role: "assistant",
        content: 'It says "usage": {"prompt_tokens": 999} — nothing else.',
        tool_calls: [],
      },
      finish_reason: "stop",
    },
  ],
  usage,
};
const chatStream = [
  chunk({ role: "assistant", content: "" }),
  chunk({ content: "Good" }),
  chunk({ content: " morning" }),
  chunk({ content: "." }),
  { ...chunk({}), choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
];
const tokens = { input_tokens: 31, output_tokens: 7, cached_tokens: 16 };
const qwen = "qwen2.5-7b-instruct";

export const SHAPES: readonly Shape[] = [
  {
    name: "OpenAI chat",
    meter: "openai",
    type: JSON_TYPE,
    content: JSON.stringify(chat),
    units: tokens,
    model: "llama-3.1-8b-instruct",
  },
  {
    name: "OpenAI chat, indented",
    meter: "openai",
    type: JSON_TYPE,
    content: JSON.stringify(chat, undefined, 2),
    units: tokens,
    model: "llama-3.1-8b-instruct",
  },
  {
    name: "OpenAI chat stream with include_usage",
    meter: "openai",
    type: EVENTS,
    content: sse(
      ...chatStream.map((event) => ({ ...event, usage: null })),
      { ...chunk({}), choices: [], usage },
      "[DONE]",
    ),
    units: tokens,
    model: qwen,
  },
  {
    name: "OpenAI chat stream without totals",
    meter: "openai",
    type: EVENTS,
    content: sse(...chatStream, "[DONE]"),
    units: { output_tokens: 3 },
    model: qwen,
    metered: "estimated",
  },
  {
    name: "vLLM chat stream with continuous usage",
    meter: "openai",
    type: EVENTS,
    content: sse(
      ...chatStream.map((event, i) => ({
        ...event,
        usage: { prompt_tokens: 31, completion_tokens: i, total_tokens: 31 + i },
      })),
      { ...chunk({}), choices: [], usage },
      "[DONE]",
    ),
    units: tokens,
    model: qwen,
  },
  {
    name: "vLLM chat with reasoning, streamed without totals",
    meter: "openai",
    type: EVENTS,
    content: sse(
      chunk({ reasoning_content: "Hm" }),
      chunk({ reasoning: "m" }),
      chunk({ tool_calls: [{ index: 0 }] }),
      chunk({ content: "5" }),
      "[DONE]",
    ),
    units: { output_tokens: 4 },
    model: qwen,
    metered: "estimated",
  },
  {
    name: "llama.cpp chat stream, with timings",
    meter: "openai",
    type: "text/event-stream",
    content: sse(
      ...chatStream,
      { ...chunk({}), choices: [], usage, timings: { prompt_n: 15, predicted_n: 7, predicted_per_second: 41.73 } },
      "[DONE]",
    ),
    units: tokens,
    model: qwen,
  },
  {
    name: "llama.cpp completion of its own kind, by pointers",
    meter: "json:input_tokens=/tokens_evaluated,output_tokens=/tokens_predicted",
    type: JSON_TYPE,
    content: JSON.stringify({
      content: "ok",
      stop: true,
      tokens_predicted: 12,
      tokens_evaluated: 40,
      timings: { predicted_ms: 99.125 },
    }),
    units: { input_tokens: 40, output_tokens: 12 },
  },
  {
    name: "OpenAI completion",
    meter: "openai",
    type: JSON_TYPE,
    content: JSON.stringify({
      object: "text_completion",
      model: "m",
      choices: [{ text: "x" }],
      usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 },
    }),
    units: { input_tokens: 5, output_tokens: 2 },
    model: "m",
  },
  {
    name: "OpenAI responses",
    meter: "openai",
    type: JSON_TYPE,
    content: JSON.stringify({
      object: "response",
      status: "completed",
      model: "gpt-x",
      output: [{ type: "message", content: [{ type: "output_text", text: "Hi" }] }],
      usage: {
        input_tokens: 36,
        input_tokens_details: { cached_tokens: 4 },
        output_tokens: 87,
        output_tokens_details: { reasoning_tokens: 64 },
        total_tokens: 123,
      },
    }),
    units: { input_tokens: 36, output_tokens: 87, cached_tokens: 4 },
    model: "gpt-x",
  },
  {
    name: "OpenAI responses stream",
    meter: "openai",
    type: EVENTS,
    content: named(
      { type: "response.created", ...{ response: { model: "gpt-x", usage: null } } },
      { type: "response.output_text.delta", ...{ delta: "Hi" } },
      {
        type: "response.completed",
        ...{
          response: {
            model: "gpt-x",
            usage: { input_tokens: 36, output_tokens: 87, input_tokens_details: { cached_tokens: 0 } },
          },
        },
      },
    ),
    units: { input_tokens: 36, output_tokens: 87, cached_tokens: 0 },
    model: "gpt-x",
  },
  {
    name: "OpenAI embeddings",
    meter: "openai",
    type: JSON_TYPE,
    content: JSON.stringify({
      object: "list",
      data: [{ object: "embedding", index: 0, embedding: [0.1, -0.002_306_4, 1e-7] }],
      model: "bge-m3",
      usage: { prompt_tokens: 8, total_tokens: 8 },
    }),
    units: { input_tokens: 8 },
    model: "bge-m3",
  },
  {
    name: "vLLM rerank",
    meter: "openai",
    type: JSON_TYPE,
    content: JSON.stringify({
      id: "rerank-1",
      model: "bge-reranker",
      usage: { total_tokens: 56 },
      results: [{ index: 0, document: { text: "x" }, relevance_score: 0.998 }],
    }),
    units: { input_tokens: 56 },
    model: "bge-reranker",
  },
  {
    name: "OpenAI images as Base64",
    meter: "openai",
    type: JSON_TYPE,
    content: JSON.stringify({
      created: 1_764_000_000,
      data: [{ b64_json: "iVBORw0KGgo".repeat(40) }, { b64_json: "iVBORw0KGgo".repeat(40) }],
      usage: { total_tokens: 4_210, input_tokens: 50, output_tokens: 4_160, input_tokens_details: { text_tokens: 50 } },
    }),
    units: { input_tokens: 50, output_tokens: 4_160, images: 2 },
  },
  {
    name: "OpenAI images as addresses",
    meter: "openai",
    type: JSON_TYPE,
    content: JSON.stringify({ created: 1_764_000_000, data: [{ url: "https://example.com/1.png", b64_json: null }] }),
    units: { images: 1 },
  },
  {
    name: "OpenAI transcription, billed by tokens",
    meter: "openai,request:seconds=audio",
    type: JSON_TYPE,
    content: JSON.stringify({
      text: "Hello",
      usage: {
        type: "tokens",
        input_tokens: 14,
        input_token_details: { audio_tokens: 14 },
        output_tokens: 45,
        total_tokens: 59,
      },
    }),
    units: { input_tokens: 14, output_tokens: 45 },
  },
  {
    name: "OpenAI and vLLM transcription, billed by duration",
    meter: "openai,request:seconds=audio",
    type: JSON_TYPE,
    content: JSON.stringify({ text: "Hello", usage: { type: "duration", seconds: 11 } }),
    units: { seconds: 11 },
  },
  {
    name: "faster-whisper and speaches, verbose_json",
    meter: "openai",
    type: JSON_TYPE,
    content: JSON.stringify({
      task: "transcribe",
      language: "en",
      duration: 8.470_000_267_028_809,
      text: "Hello",
      segments: [{ id: 0, seek: 0, start: 0, end: 3.319, text: "Hello", tokens: [50_364] }],
    }),
    units: { seconds: 8.47 },
  },
  {
    name: "OpenAI transcription stream",
    meter: "openai",
    type: EVENTS,
    content: named(
      { type: "transcript.text.delta", ...{ delta: "I see" } },
      {
        type: "transcript.text.done",
        ...{ text: "I see", usage: { type: "tokens", input_tokens: 14, output_tokens: 45, total_tokens: 59 } },
      },
    ),
    units: { input_tokens: 14, output_tokens: 45 },
  },
  {
    name: "Anthropic message",
    meter: "anthropic",
    type: JSON_TYPE,
    content: JSON.stringify({
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "claude-x",
      content: [{ type: "text", text: "Hi" }],
      usage: {
        input_tokens: 25,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 1_024,
        output_tokens: 15,
        service_tier: "standard",
      },
    }),
    units: { input_tokens: 25, output_tokens: 15, cached_tokens: 1_024 },
    model: "claude-x",
  },
  {
    name: "Anthropic message stream",
    meter: "anthropic",
    type: EVENTS,
    content: named(
      {
        type: "message_start",
        ...{
          message: { model: "claude-x", usage: { input_tokens: 25, cache_read_input_tokens: 3, output_tokens: 1 } },
        },
      },
      { type: "content_block_start", ...{ index: 0, content_block: { type: "text", text: "" } } },
      { type: "ping" },
      { type: "content_block_delta", ...{ index: 0, delta: { type: "text_delta", text: "Hello" } } },
      { type: "message_delta", ...{ delta: { stop_reason: "end_turn" }, usage: { output_tokens: 15 } } },
      { type: "message_stop" },
    ),
    units: { input_tokens: 25, output_tokens: 15, cached_tokens: 3 },
    model: "claude-x",
  },
  {
    name: "Ollama chat stream",
    meter: "ollama",
    type: LINES,
    content: lines(
      {
        model: "llama3.2",
        created_at: "2026-11-25T10:00:00Z",
        message: { role: "assistant", content: "The" },
        done: false,
      },
      {
        model: "llama3.2",
        message: { role: "assistant", content: "" },
        done: true,
        done_reason: "stop",
        total_duration: 4_883_583_458,
        prompt_eval_count: 26,
        eval_count: 282,
      },
    ),
    units: { input_tokens: 26, output_tokens: 282 },
    model: "llama3.2",
  },
  {
    name: "Ollama generate",
    meter: "ollama",
    type: "application/json; charset=utf-8",
    content: JSON.stringify({
      model: "llama3.2",
      response: "ok",
      done: true,
      context: [1, 2, 3],
      prompt_eval_count: 26,
      eval_count: 290,
    }),
    units: { input_tokens: 26, output_tokens: 290 },
    model: "llama3.2",
  },
  {
    name: "Ollama embeddings",
    meter: "ollama",
    type: "application/json; charset=utf-8",
    content: JSON.stringify({
      model: "all-minilm",
      embeddings: [[0.01, -0.001]],
      total_duration: 14_143_917,
      prompt_eval_count: 8,
    }),
    units: { input_tokens: 8 },
    model: "all-minilm",
  },
  {
    name: "PaddleOCR document parsing",
    meter: "json:pages=/result/layoutParsingResults",
    type: JSON_TYPE,
    content: JSON.stringify({
      logId: "a-1",
      errorCode: 0,
      errorMsg: "Success",
      result: {
        layoutParsingResults: [{ prunedResult: {} }, { prunedResult: {} }, { markdown: { text: "# x" } }],
        dataInfo: { type: "pdf", numPages: 3 },
      },
    }),
    units: { pages: 3 },
  },
  {
    name: "a docling-style conversion",
    meter: "json:pages=/document/json_content/num_pages,processing=/processing_time",
    type: JSON_TYPE,
    content: JSON.stringify({
      document: { filename: "a.pdf", md_content: "# Title\n", json_content: { num_pages: 12 } },
      status: "success",
      errors: [],
      processing_time: 3.25,
      timings: {},
    }),
    units: { pages: 12, processing: 3.25 },
  },
  {
    name: "lines of an OCR service, of which the last has the count",
    meter: "json:pages=/page",
    type: "application/jsonl",
    content: `${lines({ page: 1, text: "a" }, { page: 2, text: "b" })}not JSON\n\n{"page":3}`,
    units: { pages: 3 },
  },
  {
    name: "a field beside a text",
    meter: "openai,header:pages=X-Pages",
    type: "text/plain; charset=utf-8",
    content: "read text",
    fields: ["x-pages", " 12 "],
    units: { pages: 12 },
  },
  {
    name: "a trailer after a field",
    meter: "header:pages=X-Pages",
    type: "text/plain",
    content: "read text",
    fields: ["X-Pages", "0"],
    trailers: ["X-PAGES", "4.5"],
    units: { pages: 4.5 },
  },
  {
    name: "the first meter that has the unit",
    meter: "json:pages=/nowhere,header:pages=X-Pages,json:pages=/pages",
    type: JSON_TYPE,
    content: '{"pages":2}',
    fields: ["X-Pages", "1"],
    units: { pages: 1 },
  },
  {
    name: "JSON that does not say so",
    meter: "json:pages=/pages",
    type: "",
    content: ' {"pages":2}',
    units: { pages: 2 },
  },
  {
    name: "JSON of a kind of its own",
    meter: "json:pages=/pages",
    type: "application/vnd.ocr+json",
    content: '{"pages":[1,2]}',
    units: { pages: 2 },
  },
  { name: "an array's length", meter: "json:pages=#", type: JSON_TYPE, content: "[{},{},{}]", units: { pages: 3 } },
  {
    name: "an answer without any of it",
    meter: "openai",
    type: JSON_TYPE,
    content: '{"object":"list","data":[]}',
    units: {},
    problem: "not_found",
  },
  {
    name: "a text that is not for it",
    meter: "openai",
    type: "text/vtt",
    content: "WEBVTT\n",
    units: {},
    problem: "unknown_type",
  },
  { name: "no content", meter: "openai", type: "", content: "", status: 204, units: {}, problem: "no_content" },
  {
    name: "an error",
    meter: "openai",
    type: JSON_TYPE,
    content: '{"error":{"message":"no"}}',
    status: 400,
    units: {},
    problem: "failed",
  },
  {
    name: "no JSON after all",
    meter: "openai",
    type: JSON_TYPE,
    content: '{"usage":{"prompt_tokens":1}',
    units: {},
    problem: "not_json",
  },
  {
    name: "values that are none, behind one that is",
    meter: "json:pages=/pages",
    type: EVENTS,
    content: sse({ pages: 2 }, { pages: "3" }, { pages: -1 }, { pages: null }, {}),
    units: { pages: 2 },
  },
  {
    name: "a value that is none",
    meter: "json:pages=/pages",
    type: JSON_TYPE,
    content: '{"pages":-1}',
    units: {},
    problem: "bad_value",
  },
  {
    name: "a value as a text",
    meter: "json:pages=/pages",
    type: JSON_TYPE,
    content: '{"pages":"3"}',
    units: {},
    problem: "bad_value",
  },
  {
    name: "a field that is none",
    meter: "header:pages=X-Pages",
    type: JSON_TYPE,
    content: "{}",
    fields: ["X-Pages", "1e300"],
    units: {},
    problem: "bad_value",
  },
  {
    name: "nested without end",
    meter: "json:pages=/pages",
    type: JSON_TYPE,
    content: "[".repeat(2_000),
    units: {},
    problem: "too_deep",
  },
];
