#!/usr/bin/env bash
# Builds the API server of another Kubernetes, for tests that are to hold for several:
#
#   api-server.sh 1.30         the newest release of that minor version
#   api-server.sh 1.30.14      that release
#
# Prints its folder, for KUBEBUILDER_ASSETS. What else a cluster is made of stays that of tools/kubernetes. Dependencies
# are not pinned here: they are those that the release names, checked against Go's database of checksums.
set -euo pipefail

[ $# = 1 ] || { echo "usage: api-server.sh VERSION, such as 1.30" >&2; exit 2; }
module=k8s.io/kubernetes
here=$(cd "$(dirname "$0")/../.." && pwd)
root=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-$here/target}")/cluster
export CGO_ENABLED=0 GOWORK=off GOFLAGS=-mod=mod GOGC=off GOMEMLIMIT=1500MiB

# A module of its own, so that neither the pinned one nor its results change.
work=$root/build/api-server-$1
mkdir -p "$work" "$root/bin"
cd "$work"
exec 9>lock
flock 9
[ -f version ] || {
    printf 'module sojourn.dev/tools/api-server\n' >go.mod
    go list -m -f '{{.Version}}' "$module@v$1" >version.new
    mv version.new version
}
version=$(cat version)
folder=$root/bin/kube-apiserver-$version
[ -x "$folder/kube-apiserver" ] || {
    echo "api-server.sh: building kube-apiserver $version, some minutes the first time (log: $work/build.log)" >&2
    manifest=$(go mod download -json "$module@$version" | sed -n 's/^\t"GoMod": "\(.*\)",$/\1/p')
    # The release takes its own parts from folders that are published as modules of the same version.
    printf 'module sojourn.dev/tools/api-server\n\n' >go.mod
    sed -n 's/^go /go /p' "$manifest" >>go.mod
    printf '\nrequire %s %s\n\n' "$module" "$version" >>go.mod
    sed -nE "s#^\s*(replace )?(k8s\.io/\S+) => \./staging/.*#replace \2 => \2 v0.${version#v1.}#p" "$manifest" >>go.mod
    minor=${version#v1.}
    minor=${minor%%.*}
    flags="-s -w"
    for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        flags+=" -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$minor"
    done
    mkdir -p out
    go build -trimpath -buildvcs=false -gcflags=all=-dwarf=false -ldflags "$flags" -o out/ \
        "$module/cmd/kube-apiserver" >build.log 2>&1 || {
        tail -n 20 build.log >&2
        exit 1
    }
    mkdir -p "$folder"
    mv out/kube-apiserver "$folder/"
}
echo "$folder"
