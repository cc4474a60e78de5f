#!/bin/sh
# size.sh FILE.so KIB: what is shipped of the plugin, its stripped copy, is smaller than the budget of
# DESIGN section 12.
set -eu
copy=$(mktemp)
trap 'rm -f "$copy"' EXIT
strip -o "$copy" "$1"
bytes=$(stat -c %s "$copy")
echo "$bytes bytes of at most $(($2 * 1024))"
if [ "$bytes" -ge $(($2 * 1024)) ]; then
    size -A "$copy" >&2
    exit 1
fi
