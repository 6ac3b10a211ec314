#!/bin/sh
# Starts what the words of `docker run` mean, by the rules of registry:2's image.
case "$1" in
    *.yaml | *.yml | *.toml) set -- registry serve "$@" ;;
    serve | garbage-collect | help | -*) set -- registry "$@" ;;
esac

# default SETTING VARIABLE VALUE: what the settings leave open.
default() {
    if echo "$settings" | grep -q "^$1 .*# default\$"; then export "$2=$3"; fi
}

if [ "$1 $2" = "registry serve" ] && settings=$(registry config show ${3+"$3"} 2>/dev/null); then
    # localhost in a container is reached by nobody.
    default http.addr REGISTRY_HTTP_ADDR :5000
    # `docker stop` kills after 10 seconds.
    default http.draintimeout REGISTRY_HTTP_DRAINTIMEOUT 8s
fi

exec "$@"
