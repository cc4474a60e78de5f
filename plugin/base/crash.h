/*
 * crash.h - named instants at which a test may kill the process. Compiled in only with
 * CLAWMEDIA_CRASH_HOOKS (the test build of the plugin); otherwise nothing.
 *
 * With CLAWMEDIA_CRASH_AT=<n> in the environment the nth instant raises SIGKILL, as real as any.
 * With CLAWMEDIA_CRASH_LOG=<file> each instant appends its number and name, so that a test first
 * counts and then walks them.
 */
#ifndef BASE_CRASH_H
#define BASE_CRASH_H

#ifdef CLAWMEDIA_CRASH_HOOKS
void crash_point(const char *name, const char *detail);
#else
#define crash_point(name, detail) ((void)0)
#endif

#endif
