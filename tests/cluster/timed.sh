#!/usr/bin/env bash
# Says how long the steps of a recipe took. $TIMES names the file in between.
#
#   timed.sh --begin        forgets earlier steps
#   timed.sh NAME CMD...    runs the command and notes its time; its exit code is kept
#   timed.sh --end          prints the summary; a step that failed has printed it already
set -euo pipefail

: "${TIMES:?names the file that holds the times}"

summary() {
    local total=0 line="" seconds name
    while IFS=$'\t' read -r seconds name; do
        total=$((total + seconds))
        line+="${line:+, }$name $seconds s"
    done <"$TIMES"
    echo "time: $line; in all $total s"
}

case "${1:?a step has a name}" in
--begin)
    mkdir -p "$(dirname "$TIMES")"
    : >"$TIMES"
    ;;
--end) summary ;;
*)
    name=$1
    shift
    started=$SECONDS
    code=0
    "$@" || code=$?
    [ "$code" -eq 0 ] || name+=" (failed)"
    printf '%s\t%s\n' "$((SECONDS - started))" "$name" >>"$TIMES"
    [ "$code" -eq 0 ] || summary
    exit "$code"
    ;;
esac
