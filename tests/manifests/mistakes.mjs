/*
 * The mistakes that schemas.mjs makes: the file, what is wrong, how it is made so, and where the schema
 * has to see it. "settings" is an empty object of our own settings.
 */
export const mistakes = [
  // Tools.
  ["tools/poll.json", "a member that is misspelt", (v) => { v.sumary = v.summary; delete v.summary; }, "/"],
  ["tools/poll.json", "no output schema", (v) => { delete v.output_schema; }, "/"],
  ["tools/poll.json", "a flag that there is not", (v) => { v.flags.push("readonly"); }, `/flags/2`],
  ["tools/poll.json", "a name with a dash", (v) => { v.name = "poll-jobs"; }, "/name"],
  ["tools/poll.json", "a summary of two lines", (v) => { v.summary += "\nMore."; }, "/summary"],
  ["tools/poll.json", "an argument without a description", (v) => { delete v.input_schema.properties.job.description; }, "/input_schema/properties/job"],
  ["tools/poll.json", "a bound in a word that is not checked", (v) => { v.input_checks.wait_seconds.exclusiveMaximum = 9; }, "/input_checks/wait_seconds"],
  ["tools/poll.json", "an argument that is an object", (v) => { v.input_schema.properties.job.type = "object"; }, "/input_schema/properties/job/type"],
  ["tools/poll.json", "alternatives", (v) => { v.input_schema.properties.job.anyOf = [{ type: "string" }]; }, "/input_schema/properties/job"],
  ["tools/poll.json", "a rare argument without a description", (v) => { delete v.input_checks.limit.description; }, "/input_checks/limit"],
  ["tools/poll.json", "a bound that is text", (v) => { v.input_checks.limit.maximum = "100"; }, "/input_checks/limit/maximum"],
  ["tools/generate_image.json", "a list of anything", (v) => { delete v.input_schema.properties.reference_images.items; }, "/input_schema/properties/reference_images"],
  ["tools/generate_image.json", "required as with one argument", (v) => { v.input_schema.properties.prompt.required = true; }, "/input_schema/properties/prompt"],

  // Messages.
  ["messages/en.json", "a text that is none", (v) => { v.held = ["The job", "is stored"]; }, "/held"],
  ["messages/en.json", "a key with capitals", (v) => { v["state.Ready"] = "Ready."; }, "/"],
  ["messages/zh.json", "a key with a dash", (v) => { v["state-ready"] = "好了"; }, "/"],
  ["messages/zh.json", "a place in capitals", (v) => { v.held = "任务 {JOB}"; }, "/held"],
  ["messages/en.json", "a tab", (v) => { v.held = "The job\t{job}"; }, "/held"],

  // What is for OpenClaw.
  ["clawmedia.plugin.json", "what is joined later", (v) => { v.version = "0.1.0"; }, "/"],
  ["clawmedia.plugin.json", "the tools, which are joined later", (v) => { v.contracts.tools = ["poll"]; }, "/contracts"],
  ["clawmedia.plugin.json", "another plugin's settings", (v) => { v.imageGenerationProviderMetadata.clawmedia.configSignals[0].rootPath = "plugins.entries.other.config"; }, "/imageGenerationProviderMetadata/clawmedia/configSignals/0/rootPath"],
  ["clawmedia.plugin.json", "skills from outside", (v) => { v.skills = ["../skills"]; }, "/skills/0"],

  // Catalogues: what all have in common.
  ["providers/plume.json", "a member that is misspelt", (v) => { v.acounts = v.accounts; }, "/"],
  ["providers/plume.json", "no models", (v) => { v.models = []; }, "/models"],
  ["providers/plume.json", "a kind of models that there is not", (v) => { v.models[0].kind = "picture"; }, "/models/0/kind"],
  ["providers/plume.json", "seconds where milliseconds are meant", (v) => { v.times.image.typical_s = 20; }, "/times/image"],
  ["providers/plume.json", "a time that is text", (v) => { v.times.video.typical_ms = "180 s"; }, "/times/video/typical_ms"],
  ["providers/plume.json", "no timeout", (v) => { delete v.times.image.timeout_ms; }, "/times/image"],
  ["providers/plume.json", "an address without TLS", (v) => { v.accounts[0].base_url = "http://design.useplume.app"; }, "/accounts/0/base_url"],
  ["providers/plume.json", "an address with a slash at its end", (v) => { v.accounts[0].base_url += "/"; }, "/accounts/0/base_url"],
  ["providers/plume.json", "the key itself", (v) => { v.accounts[0].secrets[0].key = "sk-123"; }, "/accounts/0/secrets/0"],
  ["providers/plume.json", "a variable in small letters", (v) => { v.accounts[0].secrets[0].variables = ["plume_api_key"]; }, "/accounts/0/secrets/0/variables/0"],
  ["providers/plume.json", "one variable, not a list", (v) => { v.accounts[0].secrets[0].variables = "PLUME_API_KEY"; }, "/accounts/0/secrets/0/variables"],
  ["providers/plume.json", "headers as an object", (v) => { v.accounts[0].headers = { Authorization: "Bearer {{key}}" }; }, "/accounts/0/headers"],
  ["providers/plume.json", "a result's address instead of its host", (v) => { v.accounts[0].result_hosts = ["https://pics.useplume.app/"]; }, "/accounts/0/result_hosts/0"],
  ["providers/plume.json", "a result's host with a star", (v) => { v.accounts[0].result_hosts = ["*.useplume.app"]; }, "/accounts/0/result_hosts/0"],
  ["providers/plume.json", "no result hosts", (v) => { delete v.accounts[0].result_hosts; }, "/accounts/0"],
  ["providers/libtv.json", "a file, and no name of the secret in it", (v) => { delete v.accounts[0].secrets[0].member; }, "/accounts/0/secrets/0"],
  ["providers/plume.json", "settings of a file that there is not", (v) => { v.accounts[0].settings = [{ name: "x", variables: ["X"], member: "x" }]; }, "/accounts/0/settings"],
  ["providers/libtv.json", "a file's path instead of its name", (v) => { v.accounts[0].file.name = "../libtv.json"; }, "/accounts/0/file/name"],
  ["providers/plume.json", "a kind of errors that there is not", (v) => { v.error_words.censored = v.error_words.moderated; }, "/error_words"],

  // Catalogues: what is one service's own.
  ["providers/openai.json", "a family that there is not", (v) => { v.hosts["api.x.ai"].video_family = "D"; }, "/hosts/api.x.ai/video_family"],
  ["providers/openai.json", "a way that there is not", (v) => { v.image_wire.sumbit = "/images"; }, "/image_wire"],
  ["providers/openai.json", "an address for a host", (v) => { v.hosts["https://api.x.ai"] = { video_family: "A" }; }, "/hosts"],
  ["providers/openai.json", "a limit that is misspelt", (v) => { v.models[0].reference_max = 4; }, "/models/0"],
  ["providers/openai.json", "a day in another order", (v) => { v.models[0].ends = "31.12.2026"; }, "/models/0/ends"],
  ["providers/plume.json", "credits that are text", (v) => { v.models[0].modes[0].credits = "10"; }, "/models/0/modes/0/credits"],
  ["providers/plume.json", "credits by text", (v) => { v.models[6].seconds_credits = { "5 s": 40 }; }, "/models/6/seconds_credits"],
  ["providers/plume.json", "one ratio, not a list", (v) => { v.models[0].ratios = "16:9"; }, "/models/0/ratios"],
  ["providers/chatart.json", "a code of an unknown kind", (v) => { v.codes["1"] = { kind: "broken" }; }, "/codes/1/kind"],
  ["providers/chatart.json", "another service's advice", (v) => { v.codes["1"] = { kind: "auth", advice: "plume.key" }; }, "/codes/1/advice"],
  ["providers/chatart.json", "a mode that there is not", (v) => { v.models[12].modes.lip_sync = { resolutions: ["720p"] }; }, "/models/12/modes"],
  ["providers/chatart.json", "no login", (v) => { delete v.accounts[0].login; }, "/accounts/0"],
  ["providers/libtv.json", "a path without its slash", (v) => { v.libtv.backends.nexu.session = "libtv/v1/session"; }, "/libtv/backends/nexu/session"],
  ["providers/libtv.json", "a line without its place", (v) => { v.libtv.ratio_lines.video = ", video ratio"; }, "/libtv/ratio_lines/video"],
  ["providers/libtv.json", "a price without its currency", (v) => { delete v.libtv.backends.nexu.price.currency; }, "/libtv/backends/nexu/price"],

  // Our own settings.
  ["settings", "a setting that is misspelt", (v) => { v.default_provder = "x"; }, "/"],
  ["settings", "seconds that are text", (v) => { v.providers = { x: { typical_seconds: "90" } }; }, "/providers/x/typical_seconds"],
  ["settings", "a limit without its currency", (v) => { v.limits = { day: 20 }; }, "/limits"],
  ["settings", "one folder, not a list", (v) => { v.input_dirs = "/home/me"; }, "/input_dirs"],
];
