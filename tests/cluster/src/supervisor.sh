# Holds the processes of one cluster and ends them all when its standard input closes, which happens
# when the owner of the cluster ends, whatever ended it. Reads lines "start NAME" and answers by
# appending "NAME PID START_TIME" to the file `processes`.
dir=$1

finish() {
    trap '' TERM INT HUP
    if [ -d "$dir/node" ]; then end_node "$dir"; fi
    if [ -f "$dir/processes" ]; then
        while read -r _ pid start; do
            # An id that was used again belongs to somebody else.
            if [ "$(start_time "$pid")" = "$start" ]; then kill -KILL "$pid" 2>/dev/null; fi
        done <"$dir/processes"
    fi
    wait
    # A failed start leaves its logs, everything else goes.
    if [ -e "$dir/failed" ]; then rm -rf "$dir/etcd"; else rm -rf "$dir"; fi
    exit 0
}
trap finish TERM INT HUP

while read -r command name; do
    [ "$command" = start ] || continue
    sh "$dir/run/$name.sh" </dev/null >"$dir/logs/$name.log" 2>&1 &
    echo "$name $! $(start_time $!)" >>"$dir/processes"
done
finish
