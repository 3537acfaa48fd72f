#!/bin/sh
# Starts the handler named by the first argument: under the emulator, unless a runtime API is there already.
if [ $# -ne 1 ]; then
    echo "the entry point takes one argument, the handler" >&2
    exit 142
fi
export _HANDLER="$1" AWS_EXECUTION_ENV=AWS_Lambda_python3.13
set -- /var/lang/bin/python3.13 /var/runtime/bootstrap.py "$1"
if [ -z "${AWS_LAMBDA_RUNTIME_API:-}" ]; then
    exec /usr/local/bin/aws-lambda-rie "$@"
fi
exec "$@"
