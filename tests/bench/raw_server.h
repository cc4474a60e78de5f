/*
 * raw_server.h - the other end of the bench's wire: an HTTP/1.1 server on 127.0.0.1 with as little
 * between it and the socket as possible, so that what is measured is the client. One thread, one
 * connection at a time, closed after each answer.
 *
 *   GET  /bytes/N    N bytes
 *   GET  /base64/N   {"data":[{"b64_json":"..."}]} of N letters (a multiple of 4)
 *   POST /sink, PUT  any body, read and dropped
 *   POST (others)    a picture answer in OpenAI's shape, with the smallest of pictures
 */
#ifndef BENCH_RAW_SERVER_H
#define BENCH_RAW_SERVER_H

#include <stdint.h>

/* Starts the thread; it lives as long as the process. The port, or -1. */
int raw_server_start(void);

/* CLOCK_MONOTONIC in ns when the newest connection's first byte had arrived; 0 before the first. */
int64_t raw_server_first_byte_ns(void);

/* For the programs of the bench: a clock, and the process's greatest resident size so far. */
int64_t raw_now_ns(void);
long raw_peak_kib(void);

#endif
