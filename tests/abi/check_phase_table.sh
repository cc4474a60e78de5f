#!/bin/sh
# check_phase_table.sh PROGRAM DOCUMENT: the table in the document is what the program prints.
set -eu
program=$1
document=$2
wanted=$(mktemp)
found=$(mktemp)
trap 'rm -f "$wanted" "$found"' EXIT
"$program" >"$wanted"
sed -n '/<!-- phase table: begin -->/,/<!-- phase table: end -->/p' "$document" |
    sed -e '1d' -e '$d' >"$found"
if ! diff -u "$found" "$wanted"; then
    echo "$document differs from the table in code (host-api/check/phase_table.h)" >&2
    exit 1
fi
[ -s "$found" ]
