import { GUIDE_ERRORS } from "./guide-errors.ts";
import type { GuideFacts, GuideService } from "./guide-facts.ts";
import {
  chatService,
  curlSample,
  javascriptSample,
  openAiSample,
  powerShellSample,
  powerShellUploadSample,
  problemSample,
  pythonSample,
  serviceExample,
  tokenAnswerSample,
  uploadSample,
} from "./guide-snippets.ts";
import {
  bullets,
  code,
  type Guide,
  link,
  paragraph,
  type Section,
  steps,
  strong,
  type Text,
  text,
} from "./guide-text.ts";

/** The client guide: one content for every form in which it is read. */
export const createGuide = (facts: GuideFacts): Guide => ({
  title: "AI Gateway client guide",
  lead: text`Everything you need to call the AI services at ${code(facts.publicUrl)}.`,
  sections: [
    whatYouNeed(facts),
    howItWorks(facts),
    services(facts),
    quickStart(facts),
    limits(facts),
    errors(),
    safety(),
    questions(facts),
    support(facts),
  ],
});

const FROM_A_PAGE: Text = text`This gateway lets web pages call it from the browser (CORS), from the origins that were agreed with you. Have your server get the token and hand it to the page, which calls with it as above; no cookies are used.`;

const minutes = ({ tokenLifetimeS }: GuideFacts): number => tokenLifetimeS / 60;

const whatYouNeed = (facts: GuideFacts): Section => ({
  id: "what-you-need",
  title: "What you need",
  blocks: [
    {
      kind: "table",
      columns: ["Item", "Value"],
      rows: [
        [text`Base URL`, text`${code(facts.publicUrl)}`],
        [text`Username`, text`yours alone; you received it personally`],
        [text`Password`, text`yours alone; you received it personally`],
      ],
    },
  ],
});

const howItWorks = (facts: GuideFacts): Section => ({
  id: "how-it-works",
  title: "How it works",
  blocks: [
    steps(
      text`Get a token: ${code("POST /auth/token")} with your username and password.`,
      text`Send it with every call, in the header ${code("Authorization: Bearer YOUR_TOKEN")}.`,
      text`The token lasts ${minutes(facts)} minutes. When it has expired, get a new one.`,
    ),
    tokenAnswerSample(facts),
    paragraph(
      text`Ask for a token once and use it until it expires, not once per call. OAuth 2 libraries work too: use the grant ${code("client_credentials")} with your username as ${code("client_id")} and your password as ${code("client_secret")}.`,
    ),
  ],
});

const services = ({ publicUrl, services: all }: GuideFacts): Section => ({
  id: "services",
  title: "Services",
  blocks: [
    all.length === 0
      ? paragraph(text`No service has been set up yet.`)
      : {
          kind: "table",
          columns: ["Service", "Address"],
          rows: all.map(({ name }) => [text`${strong(name)}`, text`${code(`${publicUrl}/api/${name}`)}`]),
        },
    paragraph(
      text`Your account may be limited to some of them. What follows the service's name, the query, the method and the body go to the service as you send them; its answer comes back as it is, also as a stream.`,
    ),
    paragraph(
      text`Where a service speaks WebSocket, it does so at the same address, with ${publicUrl.startsWith("https:") ? code("wss:") : code("ws:")} in front. A web page, which cannot send a field with it, offers the token as a subprotocol: ${code("new WebSocket(url, ['bearer.' + token])")}.`,
    ),
  ],
  parts: all.flatMap(aboutService),
});

const JOBS = text`A call that takes longer than your connection lasts becomes a job when you send ${code("Prefer: respond-async")} with it: the answer is 202, with the job's address in ${code("Location")}. Ask there, with your token, how it stands; its result is at that address with ${code("/result")} behind it, and ${code("DELETE")} ends it.`;

/** What the admin has said of a service; nothing where that is nothing. */
const aboutService = (service: GuideService): readonly Section[] => {
  const { name, takesJobs, description, example, docsUrl } = service;
  const blocks = [
    ...(description === undefined ? [] : [paragraph(text`${description}`)]),
    ...(example === undefined ? [] : [serviceExample(service)]),
    ...(takesJobs === true ? [paragraph(JOBS)] : []),
    ...(docsUrl === undefined ? [] : [paragraph(text`Its own documentation: ${link(docsUrl, docsUrl)}`)]),
  ];
  return blocks.length === 0 ? [] : [{ id: `service-${name}`, title: name, blocks }];
};

const quickStart = (facts: GuideFacts): Section => ({
  id: "quick-start",
  title: "Quick start",
  blocks: [paragraph(text`Put in your own username and password.`)],
  parts: [
    {
      id: "curl",
      title: "curl",
      blocks: [
        curlSample(facts),
        uploadSample(facts),
        paragraph(
          text`If your password has characters other than letters, digits and ${code("- _ . ~ * @ : ,")}, send it with ${code("--data-urlencode 'password=…'")} in place of ${code("-d")}.`,
        ),
      ],
    },
    {
      id: "powershell",
      title: "Windows PowerShell",
      blocks: [
        powerShellSample(facts),
        powerShellUploadSample(facts),
        paragraph(text`A single quote in your password is written twice.`),
      ],
    },
    { id: "python", title: "Python", blocks: [pythonSample(facts)] },
    {
      id: "javascript",
      title: "JavaScript",
      blocks: [
        javascriptSample(facts),
        paragraph(text`On a server only: in a web page everybody could read your password.`),
        ...(facts.hasCors ? [paragraph(FROM_A_PAGE)] : []),
      ],
    },
    {
      id: "openai-sdk",
      title: "OpenAI SDK",
      blocks: [
        paragraph(
          chatService(facts) === undefined
            ? text`For services that speak the OpenAI API. The token takes the place of the API key; whether the address ends in ${code("/v1")} depends on the service.`
            : text`For services that speak the OpenAI API. The token takes the place of the API key.`,
        ),
        openAiSample(facts),
        paragraph(
          text`In a program that runs longer than a token lasts, set ${code("client.api_key = token()")} again.`,
        ),
      ],
    },
  ],
});

const limits = ({ defaultLimit, limitWindowS }: GuideFacts): Section => ({
  id: "limits",
  title: "Limits",
  blocks: [
    paragraph(
      text`${strong(`${defaultLimit} requests`)} in any ${limitWindowS} seconds, unless another limit was agreed with you. It counts per client, over all services together; a request that was refused costs nothing.`,
    ),
    paragraph(text`Every answer to a call says where you stand:`),
    bullets(
      text`${code("RateLimit-Policy")}: your limit ${code("q")} in a window of ${code("w")} seconds.`,
      text`${code("RateLimit")}: what remains, ${code("r")}, and in how many seconds more is free, ${code("t")}.`,
      text`${code("X-RateLimit-Limit")}, ${code("X-RateLimit-Remaining")}, ${code("X-RateLimit-Reset")}: the same in the older form.`,
      text`${code("Retry-After")}, with status 429: wait for so many seconds.`,
    ),
  ],
});

const errors = (): Section => ({
  id: "errors",
  title: "Errors",
  blocks: [
    paragraph(
      text`Errors of the gateway's own are JSON with a ${code("code")} for programs and a ${code("detail")} for people. Every answer has an ${code("X-Request-ID")}: quote it when you ask for help.`,
    ),
    {
      kind: "table",
      columns: ["Status", "Code", "What to do"],
      rows: GUIDE_ERRORS.map(({ status, codes, advice }) => [
        text`${strong(String(status))}`,
        list(codes),
        text`${advice}`,
      ]),
    },
    problemSample(),
    paragraph(
      text`The token endpoint answers in the form of OAuth 2: ${code('{"error": "…", "error_description": "…"}')}. Any other error comes from the service itself.`,
    ),
  ],
});

const list = (codes: readonly string[]): Text =>
  codes.flatMap((name, index) => (index === 0 ? [code(name)] : [", ", code(name)]));

const safety = (): Section => ({
  id: "safety",
  title: "Keep it safe",
  blocks: [
    bullets(
      text`Share your username, password and tokens with nobody; everyone gets credentials of their own.`,
      text`Keep them out of source code, web pages and URLs: use environment variables or a secret store.`,
      text`Use ${code("https://")} addresses on any network that is not yours.`,
      text`If a password may have leaked, ask for a new one: the old one and all its tokens stop working at once.`,
    ),
  ],
});

const questions = (facts: GuideFacts): Section => ({
  id: "questions",
  title: "Questions",
  blocks: [
    {
      kind: "questions",
      items: [
        {
          question: "What is the JWT secret?",
          answer: text`You do not need it. Your username and password get you a token.`,
        },
        {
          question: "My token expired, what do I do?",
          answer: text`Get a new one from ${code("POST /auth/token")}. Tokens last ${minutes(facts)} minutes.`,
        },
        {
          question: "Can I share my credentials?",
          answer: text`No. Every client has unique credentials; ask for more.`,
        },
        {
          question: "What is the rate limit?",
          answer: text`${facts.defaultLimit} requests per minute and client, unless another was agreed with you. See ${link("#limits", "Limits")}.`,
        },
        {
          question: "How do I check that the gateway is there?",
          answer: text`${code(`GET ${facts.publicUrl}/health`)} answers ${code('{"status":"ok"}')}, with or without a token.`,
        },
        {
          question: "Is there a description for tools?",
          answer: text`Yes, OpenAPI 3.1: ${link(`${facts.publicUrl}/openapi.json`, `${facts.publicUrl}/openapi.json`)}`,
        },
      ],
    },
  ],
});

const support = ({ supportEmail }: GuideFacts): Section => ({
  id: "support",
  title: "Support",
  blocks: [
    paragraph(
      supportEmail === undefined
        ? text`Turn to whoever gave you your credentials.`
        : text`Write to ${link(`mailto:${supportEmail}`, supportEmail)}.`,
    ),
  ],
});
