#!/usr/bin/env bash
# Runs as root in a container of the stand-in's base, with no network: turns it into the layout of Amazon's image.
set -euo pipefail
umask 022

localedef -i en_US -f UTF-8 en_US.UTF-8
mkdir -p /opt /var/lang /var/runtime /var/task

# gcc and g++ are Debian's GCC 10, which is too old for NumPy; the default compiler, which build tools look for first
# and which the interpreter hands to packages, is clang.
for pair in cc=clang c++=clang++ clang=clang clang++=clang++ ld.lld=ld.lld llvm-ar=llvm-ar llvm-nm=llvm-nm \
    llvm-ranlib=llvm-ranlib llvm-strip=llvm-strip llvm-objcopy=llvm-objcopy; do
    ln -s "/usr/lib/llvm-16/bin/${pair#*=}" "/usr/local/bin/${pair%=*}"
done

# Amazon's gcc links programs with OpenMP to GNU's libgomp.so.1, clang to LLVM's libomp.so.5, which has the functions
# of both. Under the other's name it stands in for it, so that one recipe serves either image.
openmp=/usr/lib/x86_64-linux-gnu/libgomp.so.1
rm "$openmp"
cp /usr/lib/llvm-16/lib/libomp.so.5 "$openmp"
patchelf --set-soname libgomp.so.1 "$openmp"
ln -sf "$openmp" /usr/lib/llvm-16/lib/libomp.so
ldconfig

# No profile-guided or link-time optimisation: those take an hour. No rpath, as in Amazon's build: LD_LIBRARY_PATH
# of the image is what finds libpython.
mkdir /tmp/python
tar --extract --file=/tmp/context/python.tar.xz --directory=/tmp/python --strip-components=1
cd /tmp/python
./configure --quiet --prefix=/var/lang --enable-shared --without-static-libpython --disable-test-modules \
    --with-ensurepip=install CC=cc CXX=c++
make --silent -j"$(nproc)"
make --silent install
ln -s pip3.13 /var/lang/bin/pip
cd /
rm -r /tmp/python

export PATH=/var/lang/bin:$PATH LD_LIBRARY_PATH=/var/lang/lib
python3.13 -m pip install --quiet --no-index --find-links=/tmp/context/wheels --require-hashes --no-deps \
    --root-user-action=ignore --target=/var/runtime --requirement=/tmp/context/runtime.txt
install --mode=0644 /tmp/context/bootstrap.py /var/runtime/bootstrap.py
install --mode=0755 /tmp/context/bootstrap /var/runtime/bootstrap
install --mode=0755 /tmp/context/lambda-entrypoint.sh /lambda-entrypoint.sh
install --mode=0755 /tmp/context/aws-lambda-rie /usr/local/bin/aws-lambda-rie
install -D --mode=0644 --target-directory=/usr/src/layerforge /tmp/context/sources/*

# What only the interpreter needed: a package must not find Debian's OpenSSL headers and link to a library that
# Lambda lacks. zlib stays, since it is the same library there.
dpkg --purge libssl-dev libffi-dev libbz2-dev liblzma-dev libsqlite3-dev uuid-dev
rm -r /tmp/context
