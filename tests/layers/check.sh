#!/bin/sh
# Holds every include of the plugin against the rooms of DESIGN section 2: which room may name which
# other, and which library. Prints each breach; exits 1 if there is one.
set -u
cd "${1:?usage: check.sh PLUGIN_DIR}" || exit 2
bad=0

breach() {
    if [ -n "$2" ]; then
        printf '%s:\n%s\n' "$1" "$2"
        bad=1
    fi
}

# room_only NAME 'include regex': only that room may include it.
room_only() {
    breach "only $1/ may include $2" \
        "$(grep -rnE "#include *[<\"]$2" --include='*.[ch]' . | grep -v "^\./$1/")"
}

# never ROOM 'include regex'
never() {
    breach "$1/ must not include $2" \
        "$(grep -rnE "#include *[<\"]($2)" --include='*.[ch]' "./$1")"
}

room_only net 'curl/'
room_only net 'ares'
room_only ledger 'sqlite3'
room_only base 'uthash'
room_only imaging 'vips/'
room_only imaging 'png\.h'
room_only imaging 'glib'

never base 'config/|engine/|ledger/|media/|net/|providers/|tools/'
never media 'config/|engine/|ledger/|net/|providers/|tools/'
never net 'config/|engine/|ledger/|media/|providers/|tools/'
never ledger 'config/|engine/|media/|net/|providers/|tools/'
never providers 'config/|engine/|ledger/|net/|tools/'
never config 'engine/|ledger/|media/|tools/'
never imaging 'config/|engine/|ledger/|net/|providers/|tools/'
for room in base config engine ledger media net providers tools; do
    never "$room" 'imaging/'
done
never engine 'tools/|providers/[a-z]+/'
never tools 'net/|providers/'

breach 'no process, thread, blocking wait or stdio output in the plugin' \
    "$(grep -rnE '\b(fork|vfork|system|popen|posix_spawnp?|pthread_create|sync_file_range|usleep|nanosleep|atexit|setenv|putenv|chdir|umask|setlocale|strcpy|strcat|sprintf|atoi|strtok|curl_global_cleanup|sqlite3_config|sqlite3_shutdown|printf|puts)\(' \
        --include='*.[ch]' . | grep -v '^./base/crash.c')"

[ "$bad" = 0 ] && echo "the layers hold"
exit "$bad"
