#!/usr/bin/env bash
# Builds an image with the layout of Amazon's python:3.13 Lambda image plus a compiler, for machines that cannot pull
# Amazon's, from Debian packages and PyPI alone. Prints the image's tag on standard output, all else on standard error.
# It carries the sources of some libraries as well, as Debian has them, for machines that cannot download upstream's.
#
# The tag is the digest of this folder, so an image that is there already is only named. Needs root, Debian's apt and
# a container engine; containers here need no network, since the host fetches everything. Exit code 69: this machine
# cannot build it, for want of one of those.
#
#   LAYERFORGE_STANDIN_CACHE  folder of downloads and logs; default: layerforge-standin in the user's cache
#   DEBIAN_MIRROR             mirror to use instead of the one in the machine's own apt sources
set -euo pipefail
umask 022
export LC_ALL=C DEBIAN_FRONTEND=noninteractive PATH="$PATH:/usr/sbin:/sbin"

# glibc 2.31: older than Amazon Linux 2023's 2.34, so what is compiled here loads there.
readonly SUITE=bullseye
# The first Debian release that has the interpreter, and an OpenBLAS of this decade: sources are taken from it.
readonly PYTHON=python3.13 SOURCE_SUITE=trixie
readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
readonly TOOLCHAIN=clang-16,lld-16,llvm-16,libomp-16-dev,gcc,g++,gfortran,make,cmake,pkg-config,patch,patchelf,xz-utils,bzip2
readonly PYTHON_NEEDS=libssl-dev,zlib1g-dev,libffi-dev,libbz2-dev,liblzma-dev,libsqlite3-dev,uuid-dev
readonly SYSTEM=ca-certificates,locales,tzdata

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
    --change 'LABEL layerforge.sources=/usr/src/layerforge'
)

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
cache=${LAYERFORGE_STANDIN_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/layerforge-standin}
readonly cache

digest_of() { # FILE... relative to this folder
    (cd "$here" && sha256sum "$@" | sha256sum | cut -c1-12)
}

inputs() {
    (cd "$here" && find . -type f -not -path '*/__pycache__/*' -print0 | sort -z | xargs -0 printf '%s\n')
}

mapfile -t files < <(inputs)
tag=layerforge-standin:$(digest_of "${files[@]}")
base=layerforge-standin-base:$(digest_of ./build.sh)
readonly tag base

have() { docker image inspect "$1" > /dev/null 2>&1; }

say() { echo "standin: $*" >&2; }

unable() {
    say "cannot be built here: $*"
    exit 69
}

finish() {
    status=$?
    trap - EXIT
    [ -z "${container:-}" ] || docker rm --force "$container" > /dev/null 2>&1 || true
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
        --include="$TOOLCHAIN,$PYTHON_NEEDS,$SYSTEM" "$SUITE" "$work/root" "$mirror"; then
        cat "$work/root/debootstrap/debootstrap.log" || true
        return 1
    fi
    tar --create --directory="$work/root" --numeric-owner --one-file-system \
        --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' --exclude='./var/log/*' \
        --exclude='./usr/share/man/*' --exclude='./usr/share/info/*' --exclude='./proc/*' --exclude='./sys/*' . \
        | docker import - "$base.partial"
    docker tag "$base.partial" "$base"
    docker rmi --no-prune "$base.partial"
    rm --recursive --force --one-file-system "$work/root"
}

# apt with a configuration of its own, so that Debian's signatures vouch for the sources and no setting of the machine
# changes. Its other settings (a proxy, say) stay in force.
own_apt() { # SUBCOMMAND...
    apt-get -o "Dir::Etc::sourcelist=$work/apt/sources.list" -o Dir::Etc::sourceparts=- \
        -o "Dir::State::lists=$work/apt/lists" -o Dir::State::status=/dev/null -o "Dir::Cache=$work/apt/cache" \
        -o APT::Sandbox::User=root "$@"
}

fetch_source() { # PACKAGE: prints the path of its upstream archive
    (cd "$cache/source" && own_apt source --tar-only --download-only "$1" >&2)
    own_apt source --tar-only --print-uris "$1" | awk -v folder="$cache/source" '$2 ~ /\.orig\.tar\./ { print folder "/" $2 }'
}

fetch_sources() {
    mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial" "$cache/source" "$work/context/sources"
    echo "deb-src [signed-by=$KEYRING] $mirror $SOURCE_SUITE main" > "$work/apt/sources.list"
    own_apt update
    cp "$(fetch_source "$PYTHON")" "$work/context/python.tar.xz"
    local archives=() package
    for package in openblas lapack libxml2 libxslt snappy; do archives+=("$(fetch_source "$package")"); done
    bash "$here/sources.sh" "$work/context/sources" "${archives[@]}"
}

fetch_wheels() {
    local machine
    machine=$(uname -m)
    python3 -m pip download --quiet --no-deps --require-hashes --dest "$work/context/wheels" --only-binary :all: \
        --implementation cp --python-version 3.13 --abi cp313 --abi abi3 --abi none \
        --platform "manylinux_2_28_$machine" --platform "manylinux_2_17_$machine" --platform "manylinux2014_$machine" \
        --platform any --requirement "$here/runtime.txt" --requirement "$here/emulator.txt"
    python3 - "$work/context" "aws-lambda-rie-${machine/aarch64/arm64}" << 'END'
import pathlib, sys, zipfile

context = pathlib.Path(sys.argv[1])
(wheel,) = context.glob("wheels/aws_sam_cli-*.whl")
(context / "aws-lambda-rie").write_bytes(zipfile.ZipFile(wheel).read(f"samcli/local/rapid/{sys.argv[2]}"))
END
}

install() {
    cp "$here"/{install.sh,runtime.txt,bootstrap,bootstrap.py,lambda-entrypoint.sh} "$work/context/"
    container=$(docker create --network none "$base" bash /tmp/context/install.sh)
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
    have "$base" || step "unpacking Debian $SUITE and the compilers" make_base
    step "fetching the sources of $PYTHON and of libraries" fetch_sources
    step "fetching the runtime interface client and the emulator" fetch_wheels
    step "compiling the interpreter" install
fi
echo "$tag"
