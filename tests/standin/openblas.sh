#!/usr/bin/env bash
# Puts Debian's sources of OpenBLAS and LAPACK together as upstream's release holds them, and writes sources.toml, which
# tells layerforge what they are taken for.
#
#   openblas.sh OPENBLAS_ORIG_ARCHIVE LAPACK_ORIG_ARCHIVE FOLDER
set -euo pipefail
export LC_ALL=C
umask 022

readonly openblas=$1 lapack=$2 folder=$3
# OpenBLAS 0.3.30 as upstream released it: the hash that recipes name.
readonly upstream=27342cff518646afb4c2b976d809102e368957974c250a25ccc965e53063c95d

work=$(mktemp --directory)
trap 'rm -r "$work"' EXIT
tar --extract --file="$openblas" --directory="$work"
top=$(cd "$work" && echo OpenBLAS-*)
# Debian takes LAPACK out of its repack, since it packages that itself.
mkdir "$work/$top/lapack-netlib"
tar --extract --file="$lapack" --directory="$work/$top/lapack-netlib" --strip-components=1
# LAPACK 3.12 has dropped these two, and OpenBLAS' link test asks for each name of its list.
sed --in-place '/^ *[sd]combssq$/d' "$work/$top/exports/gensymbol"

version=${top#OpenBLAS-}
archive=OpenBLAS-$version-debian.tar.gz
tar --create --directory="$work" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
    --format=gnu "$top" | gzip --no-name > "$folder/$archive"
cat > "$folder/sources.toml" << END
[[source]]
instead_of = "$upstream"
file = "$archive"
sha256 = "$(sha256sum "$folder/$archive" | cut -d ' ' -f 1)"
version = "$version"
reason = "Debian's openblas and $(basename "${lapack%%.orig*}")"
END
