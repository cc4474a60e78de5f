/* utf8.h - texts of foreign origin, or cut at a bound, become texts that JSON and hosts accept. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

/* Each byte that is no part of valid UTF-8 becomes "?", those at the very end are dropped. */
void utf8_mend(char *text);

#endif
