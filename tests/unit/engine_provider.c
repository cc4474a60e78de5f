/* engine_provider.c - the provider "sim" of engine_rig.h: what the raw server answers. */
#include "engine_provider.h"

#include "sim/sim_media.h"

#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static char *file_of(const struct sim_media_spec *spec, size_t *ret_len)
{
    struct sim_media *media = sim_media_make(spec);
    char *bytes = sure(malloc((size_t)sim_media_size(media)));

    *ret_len = sim_media_read(media, 0, bytes, (size_t)sim_media_size(media));
    sim_media_unref(media);
    return bytes;
}

static void make_files(struct rig *rig)
{
    struct sim_media_spec picture = {
        .kind = SIM_PNG, .width = 64, .height = 48, .seed = 7, .bytes = 16000};
    struct sim_media_spec video = {
        .kind = SIM_MP4, .width = 64, .height = 48, .seconds = 1, .seed = 7};

    rig->png = file_of(&picture, &rig->png_len);
    rig->mp4 = file_of(&video, &rig->mp4_len);
    rig->png_base64 = sure(calloc(1, BASE64_ENCODE_RAW_LENGTH(rig->png_len) + 1));
    base64_encode_raw(rig->png_base64, rig->png_len, (const uint8_t *)rig->png);
}

static void send_file(struct server_conn *conn, const char *type, const char *data, size_t len)
{
    char head[200];

    snprintf(head, sizeof(head),
             "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", type, len);
    conn_send(conn, head);
    conn_send_bytes(conn, data, len);
}

static void answer_picture(struct rig *rig, struct server_conn *conn)
{
    unsigned count = rig->pictures ? rig->pictures : 1;
    json_t *rows = json_array();
    json_t *answer = json_pack("{s:i, s:o}", "created", 1, "data", rows);
    char url[200];
    char *text;

    for (unsigned i = 0; i < count; i++) {
        snprintf(url, sizeof(url), "http://127.0.0.1:%u/files/%u.png", rig->server.port, i + 1);
        json_array_append_new(rows, rig->answer == RIG_PICTURE_URL ||
                                            (rig->answer == RIG_PICTURE_MIXED && i % 2 == 0)
                                        ? json_pack("{s:s}", "url", url)
                                        : json_pack("{s:s}", "b64_json", rig->png_base64));
    }
    text = sure(json_dumps(answer, JSON_COMPACT));
    json_decref(answer);
    conn_reply(conn, 200, "Content-Type: application/json\r\n", text);
    free(text);
}

static void answer_busy(struct rig *rig, struct server_conn *conn, int status)
{
    char headers[200] = "Content-Type: application/json\r\n";

    if (rig->retry_after)
        snprintf(headers, sizeof(headers), "Content-Type: application/json\r\nRetry-After: %s\r\n",
                 rig->retry_after);
    conn_reply(conn, status, headers, "{\"error\":{\"message\":\"slow down\"}}");
}

static void answer_spend(struct rig *rig, struct server_conn *conn, int video)
{
    rig->spends++;
    rig->last_spend_ms = rig->a.fake ? rig->a.fake->now_ms : 0;
    if (rig->spends == 1)
        rig->first_spend_ms = rig->last_spend_ms;
    snprintf(rig->last_spend_body, sizeof(rig->last_spend_body), "%s", conn->in + conn->head_len);
    if (rig->busy_left) {
        rig->busy_left--;
        answer_busy(rig, conn, 429);
        return;
    }
    switch (rig->answer) {
    case RIG_HOLD:
        rig->held = conn->number;
        return;
    case RIG_DROP:
        conn_close(conn);
        return;
    case RIG_BUSY:
        answer_busy(rig, conn, 429);
        return;
    case RIG_REFUSE:
        conn_reply(conn, 400, "Content-Type: application/json\r\n",
                   "{\"error\":{\"message\":\"bad prompt for " RIG_KEY "\"}}");
        return;
    case RIG_PICTURE_BASE64:
    case RIG_PICTURE_URL:
    case RIG_PICTURE_MIXED:
        break;
    }
    if (!video) {
        answer_picture(rig, conn);
        return;
    }
    rig->video_since_ms = rig->last_spend_ms;
    conn_reply(conn, 200, "Content-Type: application/json\r\n",
               "{\"id\":\"video_1\",\"object\":\"video\",\"status\":\"queued\"}");
}

static void answer_poll(struct rig *rig, struct server_conn *conn)
{
    int64_t now = rig->a.fake ? rig->a.fake->now_ms : rig->b.fake ? rig->b.fake->now_ms : 0;

    rig->polls++;
    rig->last_poll_ms = now;
    if (rig->poll_drops) {
        rig->poll_drops--;
        conn_close(conn);
    } else if (rig->poll_faults) {
        rig->poll_faults--;
        conn_reply(conn, 503, "", "");
    } else if (now - rig->video_since_ms < rig->video_ms) {
        conn_reply(conn, 200, "Content-Type: application/json\r\n",
                   "{\"id\":\"video_1\",\"status\":\"in_progress\",\"progress\":40}");
    } else {
        conn_reply(conn, 200, "Content-Type: application/json\r\n",
                   "{\"id\":\"video_1\",\"status\":\"completed\",\"progress\":100}");
    }
}

/* What a key is checked with; where no list is, the path says what is there instead. */
static void answer_models(struct server_conn *conn, const char *path, const char *auth)
{
    if (strncmp(path, "/hold/", 6) == 0)
        return;
    if (strncmp(path, "/page/", 6) == 0)
        conn_reply(conn, 200, "Content-Type: text/html\r\n", "<html>Welcome</html>");
    else if (strncmp(path, "/none/", 6) == 0)
        conn_reply(conn, 404, "", "");
    else if (strncmp(path, "/down/", 6) == 0)
        conn_reply(conn, 503, "", "");
    else if (!auth || strcmp(auth, "Bearer " RIG_KEY) != 0)
        conn_reply(conn, 401, "Content-Type: application/json\r\n",
                   "{\"error\":{\"message\":\"Incorrect API key provided: sk-rig-wrong-0001\"}}");
    else
        conn_reply(conn, 200, "Content-Type: application/json\r\n",
                   "{\"object\":\"list\",\"data\":[{\"id\":\"a\"},{\"id\":\"b\"}]}");
}

static void on_request(struct server_conn *conn)
{
    struct rig *rig = conn->server->ud;
    const char *auth = conn_header(conn, "authorization");
    char path[300];

    snprintf(path, sizeof(path), "%s", conn_path(conn));
    if (strncmp(path, "/v1/", 4) == 0)
        snprintf(rig->last_auth, sizeof(rig->last_auth), "%s", auth ? auth : "");
    if (strncmp(conn->in, "POST ", 5) == 0) {
        answer_spend(rig, conn, strstr(path, "/videos") != NULL);
        return;
    }
    if (strlen(path) > 7 && strcmp(path + strlen(path) - 7, "/models") == 0) {
        rig->checks++;
        answer_models(conn, path, auth);
        return;
    }
    if (strstr(path, "/content") || strncmp(path, "/files/", 7) == 0) {
        rig->fetches++;
        if (rig->file_faults) {
            rig->file_faults--;
            answer_busy(rig, conn, 503);
        } else if (strstr(path, "/content")) {
            send_file(conn, "video/mp4", rig->mp4, rig->mp4_len);
        } else {
            send_file(conn, "image/png", rig->png, rig->png_len);
        }
        return;
    }
    if (strncmp(path, "/v1/videos/", 11) == 0) {
        answer_poll(rig, conn);
        return;
    }
    conn_reply(conn, 404, "", "");
}

void rig_release(struct rig *rig)
{
    struct server_conn *conn;

    rig->answer = RIG_PICTURE_BASE64;
    for (conn = rig->server.conns; conn && conn->number != rig->held; conn = conn->next)
        ;
    rig->held = 0;
    if (conn)
        answer_picture(rig, conn);
}

/* ---- its life ---- */

void provider_open(struct rig *rig)
{
    if (server_open(&rig->server, rig->net, AF_INET))
        abort();
    rig->server.ud = rig;
    rig->server.on_request = on_request;
    rig->video_ms = 60000;
    make_files(rig);
}

void provider_close(struct rig *rig)
{
    server_close(&rig->server);
    free(rig->png);
    free(rig->png_base64);
    free(rig->mp4);
    sim_media_cache_clear();
}
