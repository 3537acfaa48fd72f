#!/usr/bin/env bash
# Runs as root in a container of Debian with its own Python, with no network: turns it into the layout of Amazon's image.
#
#   install.sh PYTHON      such as 3.15
set -euo pipefail
umask 022

python=$1
localedef -i en_US -f UTF-8 en_US.UTF-8
mkdir -p /opt /var/lang/bin /var/lang/lib /var/runtime /var/task /usr/local/bin

# The interpreter looks for its library from where it lies itself.
mv "/usr/bin/python$python" /var/lang/bin/
mv "/usr/lib/python$python" /var/lang/lib/
mv /usr/lib/*-linux-gnu/libpython"$python".so.1.0 /var/lang/lib/
for name in python3 python; do ln -s "python$python" "/var/lang/bin/$name"; done
# A link to a file of Debian's in /etc, and what keeps pip from a system's folders.
rm -f "/var/lang/lib/python$python"/{sitecustomize.py,EXTERNALLY-MANAGED}

export PATH=/var/lang/bin:$PATH
# Wheels without scripts: unpacked is installed, and Debian's Python comes without pip. Their hashes were checked.
for wheel in /tmp/context/wheels/*.whl; do "python$python" -m zipfile --extract "$wheel" /var/runtime; done
"python$python" -m compileall -q /var/runtime
install --mode=0644 /tmp/context/bootstrap.py /var/runtime/bootstrap.py
install --mode=0755 /tmp/context/bootstrap /var/runtime/bootstrap
install --mode=0755 /tmp/context/lambda-entrypoint.sh /lambda-entrypoint.sh
install --mode=0755 /tmp/context/aws-lambda-rie /usr/local/bin/aws-lambda-rie
rm -r /tmp/context
