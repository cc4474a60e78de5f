/*
 * proxy.c - which proxy, if any, an exchange goes through. A proxy is the user's own choice: its
 * address may be private. It looks the targets' names up, so SOCKS is always spoken in the variant
 * that sends names (socks5h, socks4a). The environment is never read; who configures may copy it
 * from there.
 */
#include "net/inner.h"

#include <stdlib.h>
#include <string.h>

/* 0, or -1 without memory. */
static int send_names(CURLU *parts, const char *scheme)
{
    const char *better = strcmp(scheme, "socks5") == 0   ? "socks5h"
                         : strcmp(scheme, "socks4") == 0 ? "socks4a"
                                                         : NULL;

    return better && curl_url_set(parts, CURLUPART_SCHEME, better, CURLU_NON_SUPPORT_SCHEME) ? -1
                                                                                             : 0;
}

/* The port that libcurl will use: its own default for a proxy is 1080. */
static unsigned port_of(CURLU *parts, const char *scheme)
{
    unsigned port = strcmp(scheme, "https") == 0 ? 443 : 1080;
    char *text = NULL;

    if (curl_url_get(parts, CURLUPART_PORT, &text, 0) == CURLUE_OK)
        port = (unsigned)strtoul(text, NULL, 10);
    curl_free(text);
    return port;
}

int proxy_set(struct proxy *proxy, const char *text, struct err *err)
{
    CURLU *parts;
    char *host = NULL;
    char *scheme = NULL;
    char *url = NULL;
    int rc = -1;

    if (!text || !*text)
        return 0;
    parts = curl_url();
    if (!parts)
        return err_nomem(err);
    if (curl_url_set(parts, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME) ||
        curl_url_get(parts, CURLUPART_HOST, &host, CURLU_PUNYCODE) ||
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0)) {
        /* The text is not shown: it may hold a password. */
        err_set(err, ERR_CONFIG, "the URL of the proxy is not well-formed");
        goto out;
    }
    proxy->port = port_of(parts, scheme);
    if (send_names(parts, scheme) == 0 &&
        curl_url_get(parts, CURLUPART_URL, &url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK) {
        proxy->url = mem_text(url);
        proxy->host = host[0] == '[' ? mem_text_n(host + 1, strlen(host) - 2) : mem_text(host);
    }
    if (!proxy->url || !proxy->host)
        err_nomem(err);
    else
        rc = 0;
out:
    curl_free(url);
    curl_free(host);
    curl_free(scheme);
    curl_url_cleanup(parts);
    return rc;
}

void proxy_done(struct proxy *proxy)
{
    mem_free_secret(proxy->url);
    mem_free(proxy->host);
}

const struct proxy *proxy_for(const struct net_call *call)
{
    const struct net *net = call->net;
    const struct proxy *proxy = call->target.is_https ? &net->proxy_https : &net->proxy_http;

    return proxy->url && !no_proxy_covers(net->no_proxy, &call->target) ? proxy : NULL;
}
