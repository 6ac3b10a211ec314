//! What a server touches while it answers: its store and the files that its settings name, no other file, no other
//! machine, no program.

use std::{
    fs,
    path::{Component, Path, PathBuf},
    process::Command,
};

use reqwest::Method;

use crate::{
    strace::{self, Event},
    support::{
        http::{Registry, try_send},
        image::{Blob, Image, Index},
        server::{Launch, Program},
        wait::eventually,
    },
};

const CALLS: &str = "trace=%file,%network,%process";

/// What the C library's memory reads of the machine: numbers, the same for everybody.
const MACHINE: [&str; 2] = ["/proc/sys/vm/overcommit_memory", "/sys/devices/system/cpu/online"];

/// What comes in at every door, of which some is a path for somebody.
const HOSTILE: [&str; 14] = [
    "/v2/../../etc/passwd/manifests/x",
    "/v2/..%2f..%2fetc/manifests/passwd",
    "/v2/%2e%2e/%2e%2e/etc/passwd",
    "/v2/a/manifests/..%2f..%2f..%2f..%2fetc%2fpasswd",
    "/v2/a/blobs/sha256:../../../../../etc/passwd",
    "/v2/a/blobs/uploads/../../../../etc/passwd",
    "/v2/a/blobs/uploads/%2e%2e%2f%2e%2e%2fetc",
    "/v2//etc/passwd/blobs/uploads/",
    "/v2/a/manifests/%00",
    "/v2/_catalog?last=../../etc/passwd",
    "/v2/a/tags/list?last=/etc/passwd",
    "/v2/a/referrers/sha256:../../etc/passwd",
    "//v2/etc/passwd",
    "/proc/self/environ",
];

/// What of the calls after the first connection leaves the files below `allowed`.
fn violations(events: &[Event], allowed: &[PathBuf]) -> Vec<String> {
    let begun = events.iter().position(|event| event.name == "accept4" && event.succeeded()).unwrap_or(0);
    let is_outside = |event: &Event| {
        let mut paths = event.resolved().into_iter();
        let leaves = |path: &Path| path.components().any(|part| part == Component::ParentDir);
        paths.any(|path| {
            !MACHINE.iter().any(|file| path == Path::new(file))
                && (leaves(&path) || !allowed.iter().any(|allowed| path.starts_with(allowed)))
        })
    };
    let is_wrong = |event: &&Event| match event.name.as_str() {
        "execve" | "execveat" | "fork" | "vfork" | "connect" | "socket" | "bind" | "listen" => true,
        "clone" | "clone3" => !event.arguments.contains("CLONE_THREAD"),
        "accept4" | "accept" | "sendto" | "recvfrom" | "sendmsg" | "recvmsg" | "shutdown" | "getsockname"
        | "getpeername" | "setsockopt" | "getsockopt" | "exit" | "exit_group" | "wait4" | "sendmmsg" | "recvmmsg" => {
            false
        }
        _ => is_outside(event),
    };
    let ended = events[begun..].iter().filter(|event| event.result.is_some());
    ended.filter(is_wrong).map(|event| format!("{}({})", event.name, event.arguments)).collect()
}

fn wharf(root: &Path, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
    command.args(arguments).env("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", root);
    assert!(command.output().unwrap().status.success(), "{arguments:?}");
}

/// All that clients and the operator do.
fn work(registry: &Registry, root: &Path) {
    let (repository, other) = (registry.repository("team/app"), registry.repository("other"));
    repository.push("latest", &Image::new(1, "amd64"));
    repository.push_index("multi", &Index::two_platforms(5));
    repository.expect_image("latest", &Image::new(1, "amd64"));
    let blob = Blob::noise(1, 300_000);
    let patched = repository.patch(&repository.begin(), blob.bytes()).unwrap().expect(202);
    repository.finish(patched.header("location").unwrap(), blob.digest(), b"").unwrap().expect(201);
    let mount = format!("blobs/uploads/?mount={}&from=team/app", blob.digest());
    try_send(other.request(Method::POST, &mount)).unwrap().expect(201);
    other.delete(&format!("blobs/{}", blob.digest())).expect(202);
    repository.get(&format!("referrers/{}", Image::new(1, "amd64").manifest().digest())).expect(200);
    repository.delete("manifests/latest").expect(202);
    registry.catalog();
    repository.tags();
    registry.get("/healthz").expect(200);
    registry.get("/").expect(200);
    for path in HOSTILE {
        // A client library may refuse to send one; the others arrive.
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::POST] {
            let _ = try_send(registry.request(method, path));
        }
    }
    wharf(root, &["gc", "--untagged"]);
    wharf(root, &["fsck", "--repair", "--write-referrers-tags"]);
}

#[test]
#[ignore = "needs strace: run ./test"]
fn no_request_reaches_beyond_the_store_needs_strace() {
    let folder = tempfile::tempdir().unwrap();
    let (root, log) = (folder.path().join("store"), folder.path().join("strace"));
    let launch = Launch::new(Program::Wharf, &root).set("REGISTRY_STORAGE_GC_GRACE", "0s");
    let server = launch.under(strace::command_line(&log, &["-e", CALLS])).start();
    work(&server.http(), &root);
    server.stop();
    let events = strace::read(&log);
    assert!(events.len() > 100, "the trace is empty");
    assert_eq!(violations(&events, &[root]), Vec::<String>::new());
}

#[test]
#[ignore = "needs strace: run ./test"]
fn no_login_and_no_token_reaches_beyond_the_settings_needs_strace() {
    let folder = tempfile::tempdir().unwrap();
    let (root, log, users) = (folder.path().join("store"), folder.path().join("strace"), folder.path().join("users"));
    fs::create_dir(&users).unwrap();
    let htpasswd = users.join("htpasswd");
    // The password is `pass`, at the lowest cost.
    let line = "user:$2y$05$Ko/0RPEl8eTnt8mmTBCHv.LLm.YVcAqFxGYGH4B1OYBK43WPoIuZ6\n";
    fs::write(&htpasswd, line).unwrap();
    let launch = Launch::new(Program::Wharf, &root).set("REGISTRY_AUTH_HTPASSWD_PATH", htpasswd.to_str().unwrap());
    let launch = launch.set("REGISTRY_AUTH_MODE", "token").set("REGISTRY_AUTH_TOKEN_IDENTITY__TOKENS", "true");
    let server = launch.under(strace::command_line(&log, &["-e", CALLS])).start();
    let registry = server.http();
    registry.get("/v2/").expect(401);
    for (user, password) in [("user", "wrong"), ("../../etc/passwd", "x"), ("nobody", "x")] {
        let path = "/token?service=x&scope=repository:../../etc/passwd:pull&account=/etc/passwd";
        let _ = try_send(registry.request(Method::GET, path).basic_auth(user, Some(password)));
        let _ = try_send(registry.request(Method::GET, "/v2/").basic_auth(user, Some(password)));
    }
    for token in [
        "x.y.z",
        "eyJhbGciOiJSUzI1NiIsImprdSI6Imh0dHA6Ly8xMjcuMC4wLjE6OS9qd2tzIiwieDV1IjoiaHR0cDovLzEyNy4wLjAuMTo5L3gifQ.e30.AAAA",
    ] {
        let _ = try_send(registry.request(Method::GET, "/v2/").bearer_auth(token));
    }
    fs::write(&htpasswd, format!("{line}{}", line.replace("user", "other"))).unwrap();
    let other = || registry.request(Method::GET, "/token?service=x").basic_auth("other", Some("pass"));
    eventually("the file is read again", || try_send(other()).is_ok_and(|answer| answer.status != 401));
    registry.get("/v2/_catalog").expect(401);
    server.stop();
    assert_eq!(violations(&strace::read(&log), &[root, users]), Vec::<String>::new());
}

#[test]
fn a_step_beyond_would_be_seen() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let accepted = "7 accept4(3<socket:[1]>, NULL, NULL, SOCK_CLOEXEC) = 5\n";
    let wrong = [
        "7 openat(AT_FDCWD</cwd>, \"/etc/passwd\", O_RDONLY) = 6",
        "7 openat2(AT_FDCWD</cwd>, \"/store/../etc/passwd\", {flags=O_RDONLY}, 24) = 6",
        "7 statx(AT_FDCWD</cwd>, \"relative\", 0, STATX_ALL, {}) = 0",
        "7 connect(6<socket:[2]>, {sa_family=AF_INET}, 16) = -1 ECONNREFUSED (Connection refused)",
        "7 socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 6",
        "7 execve(\"/bin/sh\", [\"sh\"], 0x0 /* 3 vars */) = 0",
        "7 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD) = 8",
        "7 rename(\"/store/a\", \"/tmp/a\") = 0",
    ];
    for line in wrong {
        fs::write(&log, format!("{accepted}{line}\n")).unwrap();
        let found = violations(&strace::read(log.path()), &[PathBuf::from("/store")]);
        assert_eq!(found.len(), 1, "{line} is not seen");
    }
    let fine =
        "7 openat(AT_FDCWD</cwd>, \"/store/wharf/x\", O_RDONLY) = 6\n7 clone3({flags=CLONE_VM|CLONE_THREAD}, 88) = 9\n";
    fs::write(&log, format!("7 execve(\"/wharf\", [], 0x0) = 0\n{accepted}{fine}")).unwrap();
    assert_eq!(violations(&strace::read(log.path()), &[PathBuf::from("/store")]), Vec::<String>::new());
}
