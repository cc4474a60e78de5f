/*
 * approval.mjs - the host's approval prompt in front of calls that spend. Before such a call runs, the
 * engine is asked for its plan (dry_run: nothing is sent); where the plan wants a person's yes and the
 * host has a way to ask, the call waits for the host's prompt, and then runs with the plan's token in
 * it. Whatever goes wrong here, the engine itself still wants the token: nothing is spent unasked.
 */
const SESSIONS_MAX = 512;
const ASK_MS = 5 * 60 * 1000; // the token lives for 15 minutes, the host allows 10
const TITLE_MAX = 80; // the host's bounds, in characters
const DESCRIPTION_MAX = 512;
const AT_ONCE_MS = 1500; // a prompt that is over so soon was never shown

/* Tools whose calls can be confirmed, by what their schema has. */
export function spendingTools(tools) {
  const has = (tool, name) => tool.input_schema?.properties?.[name] !== undefined;
  return tools.filter((tool) => has(tool, "confirm") && has(tool, "dry_run"));
}

function cut(text, max) {
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`;
}

/*
 * Can the host ask somebody in this chat? Where it cannot, a prompt only blocks the call. It tells nobody
 * beforehand, so this goes by its settings: a web page asks by itself, a channel with prompts of its own
 * needs them switched on, any other needs approvals.plugin.
 */
function canAsk(cfg, route) {
  if (!route?.channel) return false;
  if (route.channel === "webchat" || route.channel === "tui") return true;
  const channel = cfg?.channels?.[route.channel];
  const native = channel?.accounts?.[route.accountId]?.execApprovals ?? channel?.execApprovals;
  if (native) {
    const approvers = native.approvers?.length || cfg?.commands?.ownerAllowFrom?.length;
    return (native.enabled === true || native.enabled === "auto") && approvers > 0;
  }
  return cfg?.approvals?.plugin?.enabled === true;
}

function planOf(result) {
  try {
    return JSON.parse(result.json);
  } catch {
    return {};
  }
}

function promptOf(tool, plan, onResolution) {
  const cost = plan.cost_estimate;
  const target = [plan.provider, plan.model].filter(Boolean).join(" / ") || tool.name;
  const amount = cost ? `${cost.amount} ${cost.currency}` : undefined;
  return {
    title: cut(amount ? `${tool.title}: ${amount}` : tool.title, TITLE_MAX),
    description: cut(plan.message ?? target, DESCRIPTION_MAX),
    severity: "warning",
    allowedDecisions: ["allow-once", "deny"],
    timeoutMs: ASK_MS,
    ...(cost
      ? { scope: { kind: "payment", amount: String(cost.amount), currency: cost.currency, target } }
      : {}),
    onResolution,
  };
}

/* The instance's part: it sees the context of a turn's tools, which the hook is not given. */
export function makeApproval(tools) {
  const spending = new Map(spendingTools(tools).map((tool) => [tool.name, tool]));
  const contexts = new Map(); // by session key, the last of its turns
  const unable = new Set(); // routes where a prompt could not be shown

  function routeKey(route) {
    return `${route?.channel}/${route?.accountId ?? ""}`;
  }

  return {
    toolNames: [...spending.keys()],

    remember(ctx) {
      if (!ctx?.sessionKey) return;
      contexts.delete(ctx.sessionKey);
      contexts.set(ctx.sessionKey, ctx);
      if (contexts.size > SESSIONS_MAX) contexts.delete(contexts.keys().next().value);
    },

    /* As before_tool_call. planFor(ctx, tool, params) runs the engine; cfg is the host's. */
    async before(event, hookCtx, cfg, planFor) {
      const tool = spending.get(event.toolName);
      const ctx = contexts.get(hookCtx?.sessionKey);
      const route = ctx?.deliveryContext;
      if (!tool || !ctx || event.params?.dry_run === true) return undefined;
      if (!canAsk(cfg, route) || unable.has(routeKey(route))) return undefined;
      /* A token that came with the call is not asked for: here the yes is a person's. */
      const { confirm: _ignored, ...params } = event.params ?? {};
      const plan = planOf(await planFor(ctx, tool, { ...params, dry_run: true }));
      if (plan.status !== "plan" || !plan.needs_confirmation || !plan.confirm) return undefined;
      const began = Date.now();
      return {
        params: { confirm: plan.confirm },
        requireApproval: promptOf(tool, plan, (decision) => {
          if (decision === "cancelled" && Date.now() - began < AT_ONCE_MS && !hookCtx?.abortSignal?.aborted) {
            unable.add(routeKey(route));
          }
        }),
      };
    },
  };
}
