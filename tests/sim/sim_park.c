/*
 * Parked requests: those that wait for a time, for a log entry, for the peer's hang-up, or whose
 * socket is being fed an endless header.
 *
 * A parked connection is suspended in libmicrohttpd, which then leaves its socket alone; that is
 * what makes writing raw bytes to it here safe. Every park ends with exactly one wake.
 */
#include "sim.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <microhttpd.h>

#define ENDLESS_STEP (64 * 1024)

static int socket_of(struct sim_request *r)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->conn, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

static void park(struct sim_request *r, int64_t due_ms, uint32_t events)
{
    struct sim *sim = r->sim;

    MHD_suspend_connection(r->conn);
    r->parked = true;
    r->due_ms = due_ms;
    r->park_prev = NULL;
    r->park_next = sim->parked;
    if (sim->parked)
        sim->parked->park_prev = r;
    sim->parked = r;
    if (events) {
        struct epoll_event e = {.events = events, .data.ptr = r};
        r->watched = epoll_ctl(sim->epoll_fd, EPOLL_CTL_ADD, socket_of(r), &e) == 0;
    }
}

void sim_park(struct sim_request *r, int64_t due_ms, bool watch_peer)
{
    park(r, due_ms, watch_peer ? EPOLLRDHUP : 0);
}

void sim_park_wake(struct sim_request *r)
{
    if (!r->parked)
        return;
    if (r->watched)
        epoll_ctl(r->sim->epoll_fd, EPOLL_CTL_DEL, socket_of(r), NULL);
    r->watched = false;
    r->parked = false;
    if (r->park_prev)
        r->park_prev->park_next = r->park_next;
    else
        r->sim->parked = r->park_next;
    if (r->park_next)
        r->park_next->park_prev = r->park_prev;
    MHD_resume_connection(r->conn);
}

int64_t sim_park_turn(struct sim *sim)
{
    int64_t now = sim_now_ms(), next = SIM_NEVER;
    struct sim_request *r, *after;
    bool woke = false;

    for (r = sim->parked; r; r = after) {
        after = r->park_next;
        if (r->due_ms <= now) {
            sim_park_wake(r);
            woke = true;
        } else if (r->due_ms < next) {
            next = r->due_ms;
        }
    }
    if (woke) /* MHD_get_timeout does not know of resumed connections: have it run */
        return 0;
    return next == SIM_NEVER ? -1 : next - now;
}

void sim_park_wake_all(struct sim *sim)
{
    while (sim->parked) {
        sim->parked->gone = true;
        sim_park_wake(sim->parked);
    }
}

/* Writes until the socket is full; true when the end is reached or the peer is gone. */
static bool endless_write(struct sim_request *r)
{
    static const char start[] = "HTTP/1.1 200 OK\r\nServer: clawmedia-sim\r\nX-Endless: ";
    static char filler[ENDLESS_STEP];
    uint64_t head = sizeof start - 1;

    if (!filler[0])
        memset(filler, 'e', sizeof filler);
    while (r->sent_raw < head + r->answer.endless_bytes) {
        bool in_head = r->sent_raw < head;
        uint64_t left = head + r->answer.endless_bytes - r->sent_raw;
        size_t len = left < sizeof filler ? (size_t)left : sizeof filler;
        ssize_t n = in_head ? send(socket_of(r), start + r->sent_raw, (size_t)(head - r->sent_raw),
                                   MSG_NOSIGNAL | MSG_DONTWAIT)
                            : send(socket_of(r), filler, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno != EAGAIN && errno != EWOULDBLOCK;
        r->sent_raw += (uint64_t)n;
    }
    return true;
}

void sim_park_endless(struct sim_request *r)
{
    park(r, SIM_NEVER, EPOLLOUT | EPOLLRDHUP);
}

void sim_park_event(struct sim_request *r, uint32_t events)
{
    if (!r->parked)
        return;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        r->gone = true;
        sim_park_wake(r);
    } else if ((events & EPOLLOUT) && endless_write(r)) {
        sim_park_wake(r);
    }
}

void sim_park_reset(struct sim_request *r)
{
    /* Dissolving the association makes the kernel send RST at once; closing with a linger time of
     * zero would not do, because libmicrohttpd sends FIN first. */
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    (void)connect(socket_of(r), &nobody, sizeof nobody);
}
