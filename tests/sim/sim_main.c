/*
 * clawmedia-sim: the program. Options, the line that tells the port, the loop, an orderly end.
 *
 * One thread: libmicrohttpd's epoll set, the signals and the sockets of parked requests all hang in
 * one epoll set here. It listens on 127.0.0.1 and nowhere else.
 */
#include "sim.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <microhttpd.h>

#define EVENTS_A_TURN 64

struct options {
    int64_t port;
    int64_t seconds_max;
    const char *port_file;
};

static const char help[] =
    "usage: clawmedia-sim [options]\n"
    "A stand-in for media providers on 127.0.0.1. Prints one line with its address and serves\n"
    "until SIGTERM or SIGINT.\n"
    "  --port N          port to listen on; 0 (default) lets the system choose\n"
    "  --port-file FILE  also write the port to FILE\n"
    "  --max-seconds N   end by itself after N seconds\n"
    "  --key KEY         key of the account there is at start (default test-key; - for none)\n"
    "  --credits N       credits of that account and of new ones (default 100000)\n"
    "  --set NAME=VALUE  a setting, as in POST /_sim/settings; may be repeated\n"
    "  --help            this text\n"
    "Routes, settings and faults: tests/sim/README.md\n";

static int usage(const char *what)
{
    fprintf(stderr, "clawmedia-sim: %s\n%s", what, help);
    return 2;
}

/* 0 to go on, 1 to end well, 2 for wrong use. */
static int read_options(int argc, char **argv, struct sim *sim, struct options *o)
{
    static const struct option names[] = {
        {"port", required_argument, NULL, 'p'},
        {"port-file", required_argument, NULL, 'f'},
        {"max-seconds", required_argument, NULL, 'm'},
        {"key", required_argument, NULL, 'k'},
        {"credits", required_argument, NULL, 'c'},
        {"set", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    char err[256];
    int c;

    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        int rc = 0;
        switch (c) {
        case 'p':
            rc = sim_parse_int(optarg, 0, 65535, &o->port);
            break;
        case 'f':
            o->port_file = optarg;
            break;
        case 'm':
            rc = sim_parse_int(optarg, 1, 86400, &o->seconds_max);
            break;
        case 'k':
            rc = strlen(optarg) < SIM_KEY_MAX ? 0 : -1;
            sim_copy_text(sim->start_key, sizeof sim->start_key,
                          strcmp(optarg, "-") == 0 ? "" : optarg);
            break;
        case 'c':
            rc = sim_parse_int(optarg, 0, INT64_C(1) << 50, &sim->start_credits);
            break;
        case 's':
            if (sim_settings_apply_text(&sim->start_settings, optarg, err, sizeof err) != 0)
                return usage(err);
            break;
        case 'h':
            fputs(help, stdout);
            return 1;
        default:
            return usage("unknown option");
        }
        if (rc != 0)
            return usage("an option's value is out of its bounds");
    }
    return optind == argc ? 0 : usage("there is an argument too many");
}

/* Thousands of connections need as many files as the system allows. */
static void raise_file_limit(void)
{
    struct rlimit lim;
    if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < lim.rlim_max) {
        lim.rlim_cur = lim.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &lim);
    }
}

static int signals_open(void)
{
    sigset_t set;
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int announce(const struct sim *sim, const struct options *o)
{
    if (o->port_file) {
        FILE *f = fopen(o->port_file, "we");
        if (!f || fprintf(f, "%u\n", (unsigned)sim->port) < 0 || fclose(f) != 0) {
            perror("clawmedia-sim: --port-file");
            return -1;
        }
    }
    printf("listening on http://127.0.0.1:%u\n", (unsigned)sim->port);
    return fflush(stdout);
}

static int watch(struct sim *sim, int fd, void *tag)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = tag};
    return epoll_ctl(sim->epoll_fd, EPOLL_CTL_ADD, fd, &e);
}

static int turn_timeout(struct sim *sim, int64_t end_ms)
{
    MHD_UNSIGNED_LONG_LONG mhd;
    int64_t wait = sim_park_turn(sim);

    if (MHD_get_timeout(sim->daemon, &mhd) == MHD_YES && (wait < 0 || mhd < (uint64_t)wait))
        wait = (int64_t)mhd;
    int64_t left = end_ms - sim_now_ms();
    if (left < 0)
        left = 0;
    if (wait < 0 || left < wait)
        wait = left;
    return wait > 60000 ? 60000 : (int)wait;
}

static void loop(struct sim *sim, void *signal_tag, int64_t end_ms)
{
    struct epoll_event events[EVENTS_A_TURN];

    while (sim_now_ms() < end_ms) {
        int n = epoll_wait(sim->epoll_fd, events, EVENTS_A_TURN, turn_timeout(sim, end_ms));
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == signal_tag)
                return;
            if (events[i].data.ptr != sim)
                sim_park_event(events[i].data.ptr, events[i].events);
        }
        (void)sim_park_turn(sim);
        if (MHD_run(sim->daemon) != MHD_YES)
            return;
    }
}

static int serve(struct sim *sim, const struct options *o)
{
    int signal_tag = 0, rc = 3;
    int signal_fd = signals_open();
    int64_t end_ms = o->seconds_max ? sim_now_ms() + o->seconds_max * 1000 : INT64_MAX;

    sim->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (sim_http_start(sim, (uint16_t)o->port) != 0) {
        fprintf(stderr, "clawmedia-sim: cannot listen on 127.0.0.1:%lld: %s\n", (long long)o->port,
                strerror(errno));
        goto out;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(sim->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (signal_fd < 0 || sim->epoll_fd < 0 || !info || watch(sim, info->epoll_fd, sim) != 0 ||
        watch(sim, signal_fd, &signal_tag) != 0) {
        perror("clawmedia-sim: epoll");
        goto out;
    }
    if (announce(sim, o) == 0) {
        loop(sim, &signal_tag, end_ms);
        rc = 0;
    }
out:
    if (sim->daemon)
        sim_http_stop(sim);
    close(sim->epoll_fd);
    close(signal_fd);
    return rc;
}

int main(int argc, char **argv)
{
    struct sim sim = {.started_ms = sim_now_ms(), .start_credits = 100000, .start_key = "test-key"};
    struct options o = {0};

    sim_settings_init(&sim.start_settings);
    int rc = read_options(argc, argv, &sim, &o);
    if (rc != 0)
        return rc == 1 ? 0 : 2;
    raise_file_limit();
    sim.settings = sim.start_settings;
    sim.log = sim_log_new();
    sim_state_reset(&sim);
    rc = serve(&sim, &o);
    sim.start_key[0] = '\0';
    sim_state_reset(&sim);
    sim_chatart_free(&sim);
    sim_files_reset(&sim);
    sim_faults_clear(&sim);
    sim_log_free(sim.log);
    sim_media_cache_clear();
    return rc;
}
