# The functions and variables that ./image and ./release share. They source this file in the directory of the clone.
umask 022
export LC_ALL=C
# SOURCE_DATE_EPOCH is not exported to cargo: build scripts would run again for it.
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
version=$(sed -n 's/^version = "\(.*\)"/\1/p;T;q' Cargo.toml)
native=$(dpkg --print-architecture || true)
source packaging/tools.sh

# complain CODE SENTENCE: prints the sentence and exits with the code.
complain() { printf '%s: %s\n' "$0" "$2" >&2 && exit "$1"; }

# take_architectures [ARCH...]: sets `architectures`, by default to that of this machine, and checks that they can be
# built here.
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

# need PACKAGE...: installs the packages that are missing.
need() { dpkg --status "$@" >/dev/null 2>&1 || apt_install "$@"; }

# machine ARCH: prints the name that Rust and GNU have for the architecture.
machine() {
    case $1 in amd64) echo x86_64 ;; arm64) echo aarch64 ;; esac
}

# binary ARCH: builds wharf as a static binary, and sets `binary` to its path. The binary contains a list of its crates,
# for programs that look for crates with known vulnerabilities.
binary() {
    local machine target=() small=()
    machine=$(machine "$1")
    if [ "$1" != "$native" ]; then
        target=(--target "$machine-unknown-linux-gnu")
        need "gcc-${machine/_/-}-linux-gnu" "libc6-dev-$1-cross"
        rustup target add "${target[1]}"
        export "CARGO_TARGET_${machine^^}_UNKNOWN_LINUX_GNU_LINKER=$machine-linux-gnu-gcc"
    elif [ "$machine" = x86_64 ]; then
        # Relocations take hundreds of kilobytes otherwise, and functions of the same code tens. The linkers for arm64
        # do not know these options.
        small=(-C link-arg=-Wl,-z,pack-relative-relocs,--icf=all)
    fi
    # The last step of the compiler makes functions of all crates one program: for size here, where it matters most.
    # A function is copied into its callers only where that costs no space, which makes no request slower.
    small+=(-C opt-level=s -C llvm-args=-inline-threshold=5)
    need_tool cargo-auditable 0.7.7
    cargo auditable rustc --release --bin wharf "${target[@]}" -- -C target-feature=+crt-static "${small[@]}"
    binary=${CARGO_TARGET_DIR:-target}/${target[1]-}/release/wharf
}

# pack DIRECTORY [FILE...]: prints a tar archive. Its bytes depend only on the names and the contents of the files.
pack() {
    local directory=$1
    shift
    tar -C "$directory" --format=ustar --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner -cf - "${@:-.}"
}
