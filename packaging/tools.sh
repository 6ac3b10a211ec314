# How ./test, ./image and ./release install what they need. They source this file in the directory of the clone.
tools=$PWD/target/tools
export PATH=$tools/bin:$PATH

# as_root COMMAND...: with sudo where that is needed.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo --non-interactive "$@"; fi
}

# apt_install PACKAGE...: brings the lists up to date only if they turn out to be too old, or are not there.
apt_install() {
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends "$@")
    as_root "${install[@]}" || { as_root apt-get update --quiet && as_root "${install[@]}"; }
}

# need_tool NAME VERSION: installs a program of crates.io below target/tools.
need_tool() {
    local mark=$tools/$1@$2
    if [ -e "$mark" ]; then return; fi
    # The program runs for a second, so a fast build matters more than a fast program.
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        cargo install --quiet --locked --force --root "$tools" --target-dir "$tools/build-$1" "$1@$2" &&
        rm -rf "$tools/build-$1" && touch "$mark"
}
