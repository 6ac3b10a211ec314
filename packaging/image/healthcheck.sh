#!/bin/sh
# Asks the registry at the address in its settings. The command line of process 1 names their file.
file=$(tr '\0' '\n' </proc/1/cmdline | grep -m 1 -E '\.(ya?ml|toml)$')
exec registry healthcheck --config "${file:-/etc/docker/registry/config.yml}"
