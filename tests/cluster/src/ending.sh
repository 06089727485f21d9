# What the scripts that begin and end processes have in common.

# START_TIME of a process: field 22 of its stat line, counted after the name in parentheses.
start_time() {
    sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20
}

# Ends the node of the cluster in $1, if it has one: the first process of its namespaces, and with it
# all the others, every mount and every interface. Control groups are what is left.
end_node() {
    if read -r pid start group <"$1/node/first"; then
        if [ "$(start_time "$pid")" = "$start" ]; then kill -KILL "$pid"; fi
        left=100
        while [ "$left" -gt 0 ] && [ "$(start_time "$pid")" = "$start" ]; do left=$((left - 1)); sleep 0.05; done
        # The kernel lets go of them a moment after their last process.
        left=100
        while [ "$left" -gt 0 ] && [ -n "$(find /sys/fs/cgroup -maxdepth 2 -name "$group")" ]; do
            find /sys/fs/cgroup -mindepth 1 -maxdepth 2 -name "$group" -exec find {} -depth -type d -delete \;
            left=$((left - 1))
            sleep 0.02
        done
    fi
} >/dev/null 2>&1
