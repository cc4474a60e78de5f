#!/bin/sh
# check_headers.sh INCLUDE_DIR LAYOUT_FILE: each public header compiles alone, in three languages and
# with every compiler that is installed; and the frozen copy names every struct and every constant.
set -eu
include=$1
layout=$2
failures=0
compilers=0

try() {
    if ! printf '#include <ahp/%s>\n%s' "$header" "$body" |
        "$@" -I"$include" -Wall -Wextra -pedantic -Werror -fsyntax-only -; then
        echo "ahp/$header fails: $*" >&2
        failures=$((failures + 1))
    fi
}

# The libraries beside it are C as well: in C++ their functions must have C's names.
for path in "$include"/../loader/ahp_load.h "$include"/../check/ahp_shim.h "$include"/../hosts/uv/ahp_uv.h; do
    if ! grep -q '^extern "C" {$' "$path"; then
        echo "${path##*/} has no extern \"C\"" >&2
        failures=$((failures + 1))
    fi
done

for path in "$include"/ahp/*.h; do
    header=${path##*/}
    body='int main(void) { return 0; }
'
    for cc in gcc clang; do
        command -v $cc >/dev/null || continue
        compilers=$((compilers + 1))
        try $cc -x c -std=c99
        try $cc -x c -std=c11
    done
    for cxx in g++ clang++; do
        command -v $cxx >/dev/null || continue
        compilers=$((compilers + 1))
        try $cxx -x c++ -std=c++17
    done
    # Only these two headers of the language are included, and our own.
    if grep -E '^ *# *include *<' "$path" | grep -v -E '<std(int|def)\.h>'; then
        echo "ahp/$header includes more than stdint.h and stddef.h" >&2
        failures=$((failures + 1))
    fi
    # Types that have no fixed size or no C meaning everywhere do not cross.
    if sed -e 's,/\*.*\*/,,' -e '/^ *\/\*/,/\*\//d' "$path" |
        grep -n -w -E 'enum|bool|_Bool|long|short|ssize_t|time_t|off_t|va_list|FILE|unsigned'; then
        echo "ahp/$header uses a type that must not cross" >&2
        failures=$((failures + 1))
    fi
    for name in $(sed -n -E 's/^#define (AHP_[A-Z0-9_]+) .*/\1/p' "$path" |
        grep -v -E '_H$|^AHP_EXPORT$'); do
        if ! grep -q -E "^(VALUE|TEXT)\($name, " "$layout"; then
            echo "$name of ahp/$header is not in the frozen copy" >&2
            failures=$((failures + 1))
        fi
    done
    for name in $(sed -n -E 's/^typedef struct (ahp_[a-z0-9_]+) \{.*/\1/p' "$path"); do
        if ! grep -q "^STRUCT($name, " "$layout"; then
            echo "$name of ahp/$header is not in the frozen copy" >&2
            failures=$((failures + 1))
        fi
    done
done
[ "$compilers" -gt 0 ] || { echo "no compiler was found" >&2; exit 1; }
echo "checked with $compilers compiler runs of each standard, $failures failures"
[ "$failures" -eq 0 ]
