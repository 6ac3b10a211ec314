# What ./image and ./release have in common. Sourced by them, in the directory of the clone.
umask 022
export LC_ALL=C
# SOURCE_DATE_EPOCH is not exported to cargo: build scripts would run again for it.
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
version=$(sed -n 's/^version = "\(.*\)"/\1/p;T;q' Cargo.toml)
native=$(dpkg --print-architecture || true)
tools=$PWD/target/tools
export PATH=$tools/bin:$PATH

# complain CODE SENTENCE: ends with it.
complain() { printf '%s: %s\n' "$0" "$2" >&2 && exit "$1"; }

# take_architectures [ARCH...]: sets `architectures`, to that of this machine if none is named, and checks that they
# can be built here.
take_architectures() {
    architectures=("$@")
    if [ $# = 0 ]; then architectures=("$native"); fi
    local arch
    for arch in "${architectures[@]}"; do
        case $arch in amd64 | arm64) ;; *) complain 2 "'$arch' can't be built: amd64 and arm64 can" ;; esac
    done
    [ -n "$native" ] || complain 1 "dpkg is missing: this works on Debian"
    command -v cargo >/dev/null || complain 1 "cargo is missing: https://rustup.rs"
}

# need PACKAGE...: installs what is not there.
need() {
    local root=() install
    dpkg --status "$@" >/dev/null 2>&1 && return
    if [ "$(id -u)" != 0 ]; then root=(sudo --non-interactive); fi
    install=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends "$@")
    "${install[@]}" || { "${root[@]}" apt-get update --quiet && "${install[@]}"; }
}

# need_tool NAME VERSION: installs a program of crates.io below target/tools.
need_tool() {
    local mark=$tools/$1@$2
    if [ -e "$mark" ]; then return; fi
    # Built to be built fast: it runs for a second.
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        cargo install --quiet --locked --root "$tools" --target-dir "$tools/build" "$1@$2"
    rm -rf "$tools/build" && touch "$mark"
}

# machine ARCH: the architecture in the words of Rust and GNU.
machine() {
    case $1 in amd64) echo x86_64 ;; arm64) echo aarch64 ;; esac
}

# binary ARCH: builds wharf so that it needs no C library beside it, and sets `binary` to where it is. The binary lists
# the crates in it, for programs that look for known faults.
binary() {
    local machine target=()
    machine=$(machine "$1")
    if [ "$1" != "$native" ]; then
        target=(--target "$machine-unknown-linux-gnu")
        need "gcc-${machine/_/-}-linux-gnu" "libc6-dev-$1-cross"
        rustup target add "${target[1]}"
        export "CARGO_TARGET_${machine^^}_UNKNOWN_LINUX_GNU_LINKER=$machine-linux-gnu-gcc"
    fi
    need_tool cargo-auditable 0.7.7
    cargo auditable rustc --release --bin wharf "${target[@]}" -- -C target-feature=+crt-static
    binary=${CARGO_TARGET_DIR:-target}/${target[1]-}/release/wharf
}

# pack DIRECTORY [FILE...]: a tar archive whose bytes depend on nothing but what is in it.
pack() {
    local directory=$1
    shift
    tar -C "$directory" --format=ustar --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner -cf - "${@:-.}"
}
