# Becomes a node: the first process of a mount and a process namespace that were just made for it.
# Whatever runs on the node lives in these, so the node ends with this process, its mounts with it.
# Arguments: the folder of the cluster, the folder above it that must stay visible, the name of the
# node's control groups, then the container runtime with its arguments.
set -eu
dir=$1 root=$2 group=$3
shift 3

# Read before the new /proc is there, so these are the numbers by which others know this process.
read -r pid _ </proc/self/stat
echo "$pid $(start_time "$pid") $group" >"$dir/node/first.new"
mv "$dir/node/first.new" "$dir/node/first"

for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*; do
    # The folder of a hierarchy holds this file in both versions; its other folders are groups.
    case $hierarchy in
        /sys/fs/cgroup) [ -f "$hierarchy/cgroup.controllers" ] || continue ;;
        *) [ ! -f /sys/fs/cgroup/cgroup.controllers ] && [ -f "$hierarchy/cgroup.procs" ] || continue ;;
    esac
    mkdir -p "$hierarchy/$group"
    # A new group of this controller may use nothing until it is told.
    for what in cpuset.cpus cpuset.mems; do
        if [ -f "$hierarchy/$what" ]; then cat "$hierarchy/$what" >"$hierarchy/$group/$what"; fi
    done
done

# Runtime, kubelet and network plugins write to these folders, and nowhere may they reach the machine's.
exec 9<"$root"
mount --bind "$dir/node/tmp" /tmp
for folder in /run /var/lib /var/log; do mount -t tmpfs -o mode=0755 node "$folder"; done
if ! [ -d "$dir" ]; then
    mkdir -p "$root"
    # By the open folder itself: its name leads to the new one.
    mount --no-canonicalize --bind /proc/self/fd/9 "$root"
fi
exec 9<&-
mount --make-rshared /
mount -t proc proc /proc

# The kubelet insists on these settings of the kernel, which are those of the whole machine. It sees
# them fulfilled; the machine keeps its own.
while read -r setting value; do
    [ -f "/proc/sys/$setting" ] || continue
    echo "$value" >"$dir/node/sysctl.$value"
    mount --bind "$dir/node/sysctl.$value" "/proc/sys/$setting"
done <<END
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
END

# Stays the first process, to reap what is left to it, until the runtime ends.
"$@" &
: >"$dir/node/ready"
wait $!
