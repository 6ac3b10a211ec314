#!/bin/sh
# Interprets the arguments of `docker run` as the image of registry:2 does.
case "$1" in
    *.yaml | *.yml | *.toml) set -- registry serve "$@" ;;
    serve | garbage-collect | help | -*) set -- registry "$@" ;;
esac

# default SETTING VARIABLE VALUE: another default than that of the binary, for a setting that is not set.
default() {
    if echo "$settings" | grep -q "^$1 .*# default\$"; then export "$2=$3"; fi
}

if [ "$1 $2" = "registry serve" ] && settings=$(registry config show ${3+"$3"} 2>/dev/null); then
    # Other machines can't reach localhost of a container.
    default http.addr REGISTRY_HTTP_ADDR :5000
    # `docker stop` kills after 10 seconds.
    default http.draintimeout REGISTRY_HTTP_DRAINTIMEOUT 8s
fi

exec "$@"
