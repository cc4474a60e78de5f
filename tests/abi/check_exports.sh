#!/bin/sh
# check_exports.sh FILE.so: the plugin exports ahp_entry_1 and nothing else.
set -eu
symbols=$(nm -D --defined-only "$1" | awk '{print $NF}' | sort | tr '\n' ' ')
if [ "$symbols" != "ahp_entry_1 " ]; then
    echo "$1 exports: $symbols" >&2
    exit 1
fi
