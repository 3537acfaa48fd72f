#!/bin/sh
# Starts the handler named by the only argument: under the emulator, unless a runtime API is there already.
if [ $# -ne 1 ]; then
    echo "the entry point takes one argument, the handler" >&2
    exit 142
fi
export _HANDLER="$1"
[ -n "${AWS_LAMBDA_RUNTIME_API:-}" ] || exec /usr/local/bin/aws-lambda-rie /var/runtime/bootstrap
exec /var/runtime/bootstrap
