/* See openclaw_names.h. The names are those of OpenClaw 2026.9.6 (host-env-security, dotenv, and
 * the credential variables of the providers it comes with); tests/config compares them with it. A
 * provider plugin that the user installed may add names of its own there, which are not known here.
 */
#include "config/openclaw_names.h"

#include <string.h>

#define NAME_BYTES_MAX 300
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* One text, a space behind each name: an array of so many pointers is three times as large, most of
 * it relocations, which every start would pay for. */
static const char dangerous[] =
    "ALL_PROXY AMQP_URL ANSIBLE_CALLBACK_PLUGINS ANSIBLE_COLLECTIONS_PATH ANSIBLE_CONFIG "
    "ANSIBLE_CONNECTION_PLUGINS ANSIBLE_FILTER_PLUGINS ANSIBLE_INVENTORY_PLUGINS ANSIBLE_LIBRARY "
    "ANSIBLE_LOOKUP_PLUGINS ANSIBLE_MODULE_UTILS ANSIBLE_REMOTE_TEMP ANSIBLE_ROLES_PATH "
    "ANSIBLE_STRATEGY_PLUGINS ANT_OPTS AWS_ACCESS_KEY_ID AWS_CONFIG_FILE "
    "AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_CREDENTIALS_RELATIVE_URI "
    "AWS_SECRET_ACCESS_KEY AWS_SECURITY_TOKEN AWS_SESSION_TOKEN AWS_SHARED_CREDENTIALS_FILE "
    "AWS_WEB_IDENTITY_TOKEN_FILE AZURE_AUTH_LOCATION AZURE_CLIENT_ID AZURE_CLIENT_SECRET "
    "BASHOPTS BASH_ENV BROWSER BUNDLE_GEMFILE BUN_CONFIG_REGISTRY BZR_EDITOR BZR_PLUGIN_PATH "
    "BZR_SSH CARGO_BUILD_RUSTC CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER CARGO_BUILD_RUSTC_WRAPPER "
    "CARGO_BUILD_RUSTDOC CARGO_HOME CATALINA_OPTS CC CFLAGS CGO_CFLAGS CGO_LDFLAGS CLASSPATH "
    "CMAKE_CXX_COMPILER CMAKE_C_COMPILER CMAKE_TOOLCHAIN_FILE COMPOSER_HOME CONDA_DEFAULT_ENV "
    "CONDA_PREFIX CONFIG_SHELL CONFIG_SITE CORECLR_PROFILER CORECLR_PROFILER_PATH CPATH "
    "CPLUS_INCLUDE_PATH CPP CURL_CA_BUNDLE CURL_HOME CXX CXXCPP C_INCLUDE_PATH DATABASE_URL "
    "DENO_DIR DOCKER_CERT_PATH DOCKER_CONTEXT DOCKER_HOST DOCKER_TLS_VERIFY "
    "DOTNET_ADDITIONAL_DEPS DOTNET_STARTUP_HOOKS EDITOR ELIXIR_ERL_OPTIONS EMACSLOADPATH ENV "
    "ERL_AFLAGS ERL_FLAGS ERL_ZFLAGS EXINIT FCEDIT FPATH GCONV_PATH GEM_HOME GEM_PATH GH_TOKEN "
    "GITHUB_TOKEN GITLAB_TOKEN GIT_ALLOW_PROTOCOL GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_ASKPASS "
    "GIT_COMMON_DIR GIT_DIR GIT_EDITOR GIT_EXEC_PATH GIT_EXTERNAL_DIFF GIT_HOOK_PATH "
    "GIT_INDEX_FILE GIT_NAMESPACE GIT_OBJECT_DIRECTORY GIT_PAGER GIT_PROTOCOL_FROM_USER "
    "GIT_PROXY_COMMAND GIT_SEQUENCE_EDITOR GIT_SSH GIT_SSH_COMMAND GIT_SSL_CAINFO GIT_SSL_CAPATH "
    "GIT_SSL_NO_VERIFY GIT_TEMPLATE_DIR GIT_WORK_TREE GLIBC_TUNABLES GOENV GOFLAGS GONOPROXY "
    "GONOSUMCHECK GONOSUMDB GOOGLE_APPLICATION_CREDENTIALS GOPATH GOPRIVATE GOPROXY GRADLE_OPTS "
    "GRADLE_USER_HOME GVIMINIT HELM_HOME HELM_PLUGINS HGEDITOR HGMERGE HGRCPATH HISTFILE HOME "
    "HOSTALIASES HTTPS_PROXY HTTP_PROXY IFS JAVA_OPTS JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS "
    "JULIA_EDITOR KSH_ENV KUBECONFIG LDFLAGS LESSCLOSE LESSOPEN LIBRARY_PATH LUA_CPATH LUA_INIT "
    "LUA_INIT_5_1 LUA_INIT_5_2 LUA_INIT_5_3 LUA_INIT_5_4 LUA_PATH MAKE MAKEFLAGS MANPAGER "
    "MAVEN_OPTS MFLAGS MONGODB_URI MYVIMRC NODE_AUTH_TOKEN NODE_EXTRA_CA_CERTS NODE_OPTIONS "
    "NODE_PATH NODE_REDIRECT_WARNINGS NODE_REPL_EXTERNAL_MODULE NODE_REPL_HISTORY "
    "NODE_TLS_REJECT_UNAUTHORIZED NODE_V8_COVERAGE NO_PROXY NPM_TOKEN OBJC_INCLUDE_PATH "
    "OPENSSL_CONF OPENSSL_ENGINES PACKER_PLUGIN_PATH PAGER PERL5DB PERL5DBCMD PERL5LIB PERL5OPT "
    "PHPRC PHP_INI_SCAN_DIR PIP_CONFIG_FILE PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_INDEX_URL "
    "PIP_PYPI_URL PIP_TRUSTED_HOST PROMPT_COMMAND PS4 PYTHONBREAKPOINT PYTHONHOME PYTHONPATH "
    "PYTHONSTARTUP PYTHONUSERBASE REDIS_URL REQUESTS_CA_BUNDLE RUBYLIB RUBYOPT RUBYSHELL RUSTC "
    "RUSTC_WORKSPACE_WRAPPER RUSTC_WRAPPER RUSTDOC RUSTFLAGS RUSTUP_DIST_ROOT RUSTUP_DIST_SERVER "
    "RUSTUP_HOME RUSTUP_TOOLCHAIN RUSTUP_UPDATE_ROOT R_ENVIRON R_ENVIRON_USER R_LIBS_USER "
    "R_PROFILE R_PROFILE_USER SBT_OPTS SHELL SHELLOPTS SSH_ASKPASS SSH_AUTH_SOCK SSLKEYLOGFILE "
    "SSL_CERT_DIR SSL_CERT_FILE SUDO_ASKPASS SUDO_EDITOR SVN_EDITOR SVN_SSH SYSTEMROOT "
    "TCLLIBPATH TF_CLI_CONFIG_FILE TF_PLUGIN_CACHE_DIR UV_DEFAULT_INDEX UV_EXTRA_INDEX_URL "
    "UV_INDEX UV_INDEX_URL UV_PYTHON VAGRANT_VAGRANTFILE VIMINIT VIRTUAL_ENV VISUAL WGETRC "
    "WINDIR XDG_CACHE_HOME XDG_CONFIG_DIRS XDG_CONFIG_HOME XDG_DATA_DIRS XDG_DATA_HOME "
    "XDG_RUNTIME_DIR XDG_STATE_HOME YARN_RC_FILENAME ZDOTDIR _JAVA_OPTIONS ";

static const char *const dangerous_starts[] = {"DYLD_",       "LD_",
                                               "BASH_FUNC_",  "GIT_CONFIG_",
                                               "NPM_CONFIG_", "CARGO_REGISTRIES_",
                                               "TF_VAR_"};

/* The host's own switches, beside its dangerous names. */
static const char switches[] =
    "OPENCLAW_ALLOW_OLDER_BINARY_DESTRUCTIVE_ACTIONS OPENCLAW_CONFIG_READONLY "
    "OPENCLAW_INCLUDE_ROOTS ";

static const char credentials[] =
    "AI_GATEWAY_API_KEY ANTHROPIC_ADMIN_API_KEY ANTHROPIC_ADMIN_KEY ANTHROPIC_API_KEY "
    "ANTHROPIC_OAUTH_TOKEN APPDATA ARCEEAI_API_KEY AWS_ACCOUNT_ID AWS_ACCOUNT_ID_ENDPOINT_MODE "
    "AWS_BEARER_TOKEN_BEDROCK AWS_BEDROCK_SKIP_AUTH AWS_CREDENTIAL_EXPIRATION "
    "AWS_CREDENTIAL_SCOPE AWS_EC2_METADATA_DISABLED AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE "
    "AWS_EC2_METADATA_V1_DISABLED AWS_ENDPOINT_URL AWS_PROFILE AWS_ROLE_ARN "
    "AWS_ROLE_SESSION_NAME AZURE_OPENAI_API_KEY AZURE_SPEECH_API_KEY AZURE_SPEECH_KEY "
    "AZURE_SPEECH_REGION BRAVE_API_KEY BROWSER_EXECUTABLE_PATH BUZZ_RELAY_URL BYTEPLUS_API_KEY "
    "BYTEPLUS_SEED_SPEECH_API_KEY CEREBRAS_API_KEY CHUTES_API_KEY CHUTES_OAUTH_TOKEN "
    "CLAWROUTER_API_KEY CLOUDFLARE_AI_GATEWAY_API_KEY CODEX_API_KEY COMFY_API_KEY "
    "COMFY_CLOUD_API_KEY COMSPEC COPILOT_GITHUB_TOKEN DASHSCOPE_API_KEY DEEPGRAM_API_KEY "
    "DEEPINFRA_API_KEY DEEPSEEK_API_KEY DISCORD_API_URL ELEVENLABS_API_KEY EXA_API_KEY "
    "FAL_API_KEY FAL_KEY FIRECRAWL_API_KEY FIREWORKS_API_KEY GEMINI_API_KEY GOOGLE_API_KEY "
    "GOOGLE_CLOUD_API_KEY GRADIUM_API_KEY GROQ_API_KEY HF_TOKEN HOMEBREW_BREW_FILE "
    "HOMEBREW_CURL_PATH HOMEBREW_GIT_PATH HOMEBREW_PREFIX HUGGINGFACE_HUB_TOKEN INWORLD_API_KEY "
    "IRC_HOST KILOCODE_API_KEY KIMICODE_API_KEY KIMI_API_KEY LITELLM_API_KEY LM_API_TOKEN "
    "LOCALAPPDATA MATTERMOST_URL MINIMAX_API_KEY MINIMAX_CODE_PLAN_KEY MINIMAX_CODING_API_KEY "
    "MINIMAX_OAUTH_TOKEN MISTRAL_API_KEY MODELSTUDIO_API_KEY MODEL_API_KEY MOONSHOT_API_KEY "
    "NPM_EXECPATH NVIDIA_API_KEY OLLAMA_API_KEY OPENAI_ADMIN_KEY OPENAI_API_KEY OPENAI_API_KEYS "
    "OPENCODE_API_KEY OPENCODE_ZEN_API_KEY OPENROUTER_API_KEY PATH PERPLEXITY_API_KEY "
    "PI_CODING_AGENT_DIR PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH PNPM_HOME PROGRAMFILES "
    "PROGRAMFILES(X86) PROGRAMW6432 QIANFAN_API_KEY QWEN_API_KEY QWEN_TOKEN_PLAN_API_KEY "
    "RUNWAYML_API_SECRET RUNWAY_API_KEY SENSEAUDIO_API_KEY SGLANG_API_KEY SLACK_API_URL "
    "SMS_ALLOWED_USERS SMS_DANGEROUSLY_DISABLE_SIGNATURE_VALIDATION SMS_PUBLIC_WEBHOOK_URL "
    "SPEECH_KEY SPEECH_REGION STATE_DIRECTORY STEPFUN_API_KEY SYNOLOGY_ALLOWED_USER_IDS "
    "SYNOLOGY_CHAT_INCOMING_URL SYNOLOGY_NAS_HOST SYNTHETIC_API_KEY TAVILY_API_KEY "
    "TOGETHER_API_KEY TOKENHUB_API_KEY TOKENPLAN_API_KEY VENICE_API_KEY VLLM_API_KEY "
    "VOLCANO_ENGINE_API_KEY VOLCENGINE_TTS_API_KEY VOLCENGINE_TTS_APPID VOLCENGINE_TTS_TOKEN "
    "VOYAGE_API_KEY VYDRA_API_KEY XAI_API_KEY XIAOMI_API_KEY XI_API_KEY ZAI_API_KEY ZALO_API_URL "
    "Z_AI_API_KEY ";

static const char *const credential_starts[] = {"ANTHROPIC_API_KEY_", "CLAWHUB_",
                                                "CLOUDSDK_",          "AWS_CONTAINER_",
                                                "AWS_ENDPOINT_URL_",  "OPENAI_API_KEY_",
                                                "OPENCLAW_"};

static const char *const credential_ends[] = {"_API_HOST", "_BASE_URL", "_ENDPOINT", "_HOMESERVER"};

/* Words that stand next to each other in a name. */
static const char *const sequences[] = {"_DANGEROUSLY_",       "_DISABLE_AUTH_", "_DISABLE_CERT_",
                                        "_DISABLE_SIGNATURE_", "_DISABLE_SSL_",  "_DISABLE_TLS_",
                                        "_SKIP_AUTH_"};

static bool is_in(const char *name, const char *list)
{
    size_t name_len = strlen(name), len;

    for (; *list; list += len + 1) {
        len = strcspn(list, " ");
        if (len == name_len && memcmp(list, name, len) == 0)
            return true;
    }
    return false;
}

static bool starts(const char *name, const char *start)
{
    return strncmp(name, start, strlen(start)) == 0;
}

static bool ends(const char *name, const char *end)
{
    size_t len = strlen(name), end_len = strlen(end);

    return len >= end_len && strcmp(name + len - end_len, end) == 0;
}

static bool starts_as_one(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (starts(name, list[i]))
            return true;
    return false;
}

/* In capitals, with the least number of underscores around and between its words; false for a name
 * that is longer than any on the lists. */
static bool fold(const char *name, char ret_name[NAME_BYTES_MAX], char ret_words[NAME_BYTES_MAX])
{
    size_t len = strlen(name), used = 0;

    if (len + 3 > NAME_BYTES_MAX)
        return false;
    ret_words[used++] = '_';
    for (size_t i = 0; i <= len; i++) {
        char c = name[i];

        ret_name[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        if (c && (c != '_' || ret_words[used - 1] != '_'))
            ret_words[used++] = ret_name[i];
    }
    if (ret_words[used - 1] != '_')
        ret_words[used++] = '_';
    ret_words[used] = '\0';
    return true;
}

static bool is_dangerous(const char *name)
{
    if (is_in(name, dangerous) ||
        starts_as_one(name, dangerous_starts, COUNT(dangerous_starts)))
        return true;
    return starts(name, "CARGO_TARGET_") && strlen(name) > strlen("CARGO_TARGET_") + 7 &&
           (ends(name, "_LINKER") || ends(name, "_RUNNER"));
}

bool openclaw_name_is_dangerous(const char *name)
{
    char folded[NAME_BYTES_MAX], words[NAME_BYTES_MAX];

    if (!fold(name, folded, words))
        return true;
    return is_dangerous(folded) || is_in(folded, switches);
}

bool openclaw_name_is_protected(const char *name)
{
    char folded[NAME_BYTES_MAX], words[NAME_BYTES_MAX];

    if (!fold(name, folded, words))
        return true;
    if (is_dangerous(folded) || is_in(folded, credentials) ||
        starts_as_one(folded, credential_starts, COUNT(credential_starts)))
        return true;
    for (size_t i = 0; i < COUNT(credential_ends); i++)
        if (ends(folded, credential_ends[i]))
            return true;
    for (size_t i = 0; i < COUNT(sequences); i++)
        if (strstr(words, sequences[i]))
            return true;
    return false;
}
