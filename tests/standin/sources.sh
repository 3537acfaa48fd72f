#!/usr/bin/env bash
# Lays out the archives that the image carries in the place of upstream's, and writes sources.toml, which tells
# layerforge what each is taken for.
#
#   sources.sh FOLDER OPENBLAS LAPACK LIBXML2 LIBXSLT SNAPPY     all but the first are Debian's .orig archives
set -euo pipefail
export LC_ALL=C
umask 022

readonly folder=$1 openblas=$2 lapack=$3 libxml2=$4 libxslt=$5 snappy=$6

substitute() { # FILE VERSION INSTEAD_OF REASON: the hash is the one that recipes name
    cat >> "$folder/sources.toml" << END
[[source]]
instead_of = "$3"
file = "$1"
sha256 = "$(sha256sum "$folder/$1" | cut -d ' ' -f 1)"
version = "$2"
reason = "$4"

END
}

version_in() { # ARCHIVE: the version that upstream gave it, which Debian's file name may hide
    # Without a pipe into head, whose early end would fail the script.
    local names
    names=$(tar --list --file="$1")
    echo "${names%%/*}" | sed 's/^[^-]*-//'
}

# OpenBLAS as upstream releases it holds LAPACK; Debian takes that out of its repack, since it packages it itself.
put_openblas_together() { # ARCHIVE VERSION
    local work top=OpenBLAS-$2
    work=$(mktemp --directory)
    tar --extract --file="$openblas" --directory="$work"
    mkdir "$work/$top/lapack-netlib"
    tar --extract --file="$lapack" --directory="$work/$top/lapack-netlib" --strip-components=1
    # LAPACK 3.12 has dropped these two, and OpenBLAS' link test asks for each name of its list.
    sed --in-place '/^ *[sd]combssq$/d' "$work/$top/exports/gensymbol"
    tar --create --directory="$work" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner \
        --mode=u=rwX,go=rX --format=gnu "$top" | gzip --no-name > "$folder/$1"
    rm --recursive "$work"
}

version=$(version_in "$openblas")
put_openblas_together "openblas-$version.tar.gz" "$version"
substitute "openblas-$version.tar.gz" "$version" \
    27342cff518646afb4c2b976d809102e368957974c250a25ccc965e53063c95d "Debian's openblas and lapack"

version=$(version_in "$libxml2")
cp "$libxml2" "$folder/libxml2-$version.tar.xz"
substitute "libxml2-$version.tar.xz" "$version" \
    78262a6e7ac170d6528ebfe2efccdf220191a5af6a6cd61ea4a9a9a5042c7a07 "Debian's libxml2"

version=$(version_in "$libxslt")
cp "$libxslt" "$folder/libxslt-$version.tar.xz"
substitute "libxslt-$version.tar.xz" "$version" \
    9acfe68419c4d06a45c550321b3212762d92f41465062ca4ea19e632ee5d216e "Debian's libxslt"

# Upstream's own archive under Debian's name: the hash is enough to find it.
cp "$snappy" "$folder/snappy-$(version_in "$snappy").tar.gz"
