#!/usr/bin/env bash
# Builds an image with the layout of Amazon's Lambda image for a Python that is newer than the one in ../standin, from
# Debian's packages of that Python and from PyPI, for machines that cannot pull Amazon's:
#
#   build.sh 3.15        or 3.14
#
# Prints the image's tag on standard output, all else on standard error. Layers run in it and are measured in it;
# nothing is compiled in it: it has no compiler, and its C library is newer than Lambda's.
#
# The tag is the digest of what it is made from, so an image that is there already is only named. Needs root, Debian's
# apt and a container engine; containers here need no network, since the host fetches everything. Exit code 69: this
# machine cannot build it, for want of one of those.
#
#   LAYERFORGE_STANDIN_CACHE  folder of downloads and logs; default: layerforge-standin in the user's cache
#   DEBIAN_MIRROR             mirror to use instead of the one in the machine's own apt sources
set -euo pipefail
umask 022
export LC_ALL=C DEBIAN_FRONTEND=noninteractive PATH="$PATH:/usr/sbin:/sbin"

python=${1:?which Python, such as 3.15}
readonly python
# Where Debian has its newest Pythons.
readonly SUITE=sid
readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
readonly PACKAGES=python$python,libpython$python,ca-certificates,locales,tzdata

# As the Dockerfile of Amazon's base image sets them.
readonly CONFIG=(
    --change 'ENV LANG=en_US.UTF-8'
    --change 'ENV TZ=:/etc/localtime'
    --change 'ENV PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin'
    --change 'ENV LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib'
    --change 'ENV LAMBDA_TASK_ROOT=/var/task'
    --change 'ENV LAMBDA_RUNTIME_DIR=/var/runtime'
    --change 'WORKDIR /var/task'
    --change 'ENTRYPOINT ["/lambda-entrypoint.sh"]'
    --change 'CMD []'
)

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly shared=$here/../standin
readonly inputs=("$here/build.sh" "$here/install.sh" "$shared"/{bootstrap,bootstrap.py,lambda-entrypoint.sh,runtime.txt,emulator.txt})
cache=${LAYERFORGE_STANDIN_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/layerforge-standin}
readonly cache
tag=layerforge-standin:py${python/./}-$(sha256sum "${inputs[@]}" | cut -d ' ' -f 1 | sha256sum | cut -c1-12)
readonly tag

have() { docker image inspect "$1" > /dev/null 2>&1; }

say() { echo "standin $python: $*" >&2; }

unable() {
    say "cannot be built here: $*"
    exit 69
}

finish() {
    status=$?
    trap - EXIT
    [ -z "${container:-}" ] || docker rm --force "$container" > /dev/null 2>&1 || true
    docker rmi "$tag.base" > /dev/null 2>&1 || true
    if [ -n "${work:-}" ]; then
        for mounted in proc sys; do
            ! mountpoint --quiet "$work/root/$mounted" || umount --lazy "$work/root/$mounted" || true
        done
        rm --recursive --force --one-file-system "$work"
    fi
    if [ "$status" -ne 0 ] && [ -n "${log:-}" ]; then
        tail -n 20 "$log" >&2
        say "failed with exit code $status; the whole log is $log"
    fi
    exit "$status"
}

step() { # MESSAGE COMMAND...: runs the command with its output in the log
    local message=$1 began=$SECONDS
    shift
    say "$message"
    "$@" >> "$log" 2>&1
    say "  $((SECONDS - began)) s"
}

# The mirror that the machine's own apt sources name for its own release; empty when it is no Debian machine.
machines_mirror() {
    grep -qsx 'ID=debian' /etc/os-release || return 0
    # A suite with a hyphen is one of updates, which lies elsewhere or holds only a part.
    apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' \
        | awk '$1 !~ /-/ && $2 == "main" && !seen++ { print $3 }'
}

ensure_tools() {
    local missing=()
    command -v debootstrap > /dev/null || missing+=(debootstrap)
    [ -e "$KEYRING" ] || missing+=(debian-archive-keyring)
    [ ${#missing[@]} -eq 0 ] || { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; }
}

make_base() {
    mkdir -p "$cache/debs" "$work/root"
    if ! debootstrap --variant=minbase --components=main --keyring="$KEYRING" --cache-dir="$cache/debs" \
        --include="$PACKAGES" "$SUITE" "$work/root" "$mirror"; then
        cat "$work/root/debootstrap/debootstrap.log" || true
        return 1
    fi
    tar --create --directory="$work/root" --numeric-owner --one-file-system \
        --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' --exclude='./var/log/*' \
        --exclude='./usr/share/man/*' --exclude='./usr/share/info/*' --exclude='./proc/*' --exclude='./sys/*' . \
        | docker import - "$tag.base"
    rm --recursive --force --one-file-system "$work/root"
}

fetch_wheels() {
    local machine
    machine=$(uname -m)
    python3 -m pip download --quiet --no-deps --require-hashes --dest "$work/context/wheels" --only-binary :all: \
        --implementation cp --python-version "$python" --abi "cp${python/./}" --abi abi3 --abi none \
        --platform "manylinux_2_28_$machine" --platform "manylinux_2_17_$machine" --platform "manylinux2014_$machine" \
        --platform any --requirement "$shared/runtime.txt"
    python3 -m pip download --quiet --no-deps --require-hashes --dest "$work/emulator" --only-binary :all: \
        --requirement "$shared/emulator.txt"
    python3 - "$work" "aws-lambda-rie-${machine/aarch64/arm64}" << 'END'
import pathlib, sys, zipfile

work = pathlib.Path(sys.argv[1])
(wheel,) = work.glob("emulator/aws_sam_cli-*.whl")
(work / "context/aws-lambda-rie").write_bytes(zipfile.ZipFile(wheel).read(f"samcli/local/rapid/{sys.argv[2]}"))
END
}

install() {
    cp "$here/install.sh" "$shared/lambda-entrypoint.sh" "$work/context/"
    for file in bootstrap bootstrap.py; do
        sed "s/3\.13/$python/g" "$shared/$file" > "$work/context/$file"
    done
    container=$(docker create --network none --entrypoint= "$tag.base" bash /tmp/context/install.sh "$python")
    # Copied, not mounted: a mount point would stay in the image, and the engine may be on another machine.
    docker cp --quiet "$work/context" "$container:/tmp/context"
    docker start --attach "$container"
    docker commit "${CONFIG[@]}" "$container" "$tag"
}

if ! have "$tag"; then
    docker info > /dev/null 2>&1 || unable "no container engine answers"
    [ "$(id -u)" -eq 0 ] || unable "only root can unpack Debian's packages"
    mirror=${DEBIAN_MIRROR:-$(machines_mirror)}
    [ -n "$mirror" ] || unable "this machine's apt sources name no Debian mirror; DEBIAN_MIRROR can"
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    mkdir -p "$cache"
    exec 9> "$cache/lock"
    flock 9
fi
# Another call may have built it while this one waited for the lock.
if ! have "$tag"; then
    log=$cache/${tag/:/-}.log
    : > "$log"
    work=$(mktemp --directory --tmpdir layerforge-standin.XXXXXXXX)
    mkdir "$work/context"
    step "getting the tools" ensure_tools
    step "fetching the runtime interface client and the emulator" fetch_wheels
    step "unpacking Debian $SUITE with its Python" make_base
    step "moving it to its places" install
fi
echo "$tag"
