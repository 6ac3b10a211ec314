//! `wharf run`, and the users and images of a throw-away registry.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use super::wharf::wharf;

use crate::support::wait::ended;

const PATH: (&str, &str) = ("PATH", "/usr/bin:/bin");

#[test]
fn the_command_finds_the_registry_and_its_code_is_returned() {
    let ran = wharf(&["run", "--", "sh", "-c", "echo $WHARF_REGISTRY; exit 7"], &[PATH]);
    assert_eq!(ran.code, 7, "{ran:?}");
    assert!(ran.out.starts_with("127.0.0.1:") && ran.out.trim_end() != "127.0.0.1:0", "{ran:?}");
    assert_eq!(ran.err, "", "no log is mixed with the command's output");
}

#[test]
fn commands_that_end_otherwise_have_the_codes_of_a_shell() {
    for (command, code) in
        [(["sh", "-c", "kill -9 $$"], 137), (["/nonexistent/command", "", ""], 127), (["/", "", ""], 126)]
    {
        let ran = wharf(&[&["run", "--"], &command[..]].concat(), &[PATH]);
        assert_eq!(ran.code, code, "{ran:?}");
    }
}

/// Settings of a registry that lasts are not those of a test, unless they are named.
#[test]
fn only_a_file_that_is_named_is_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("registry.toml"), "[http]\nprefix = \"bad\"\n").unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
        command.arg("run").args(arguments).args(["--", "true"]).current_dir(folder.path()).output().unwrap()
    };
    assert!(run(&[]).status.success());
    let named = run(&["--config", "registry.toml"]);
    let said = String::from_utf8(named.stderr).unwrap();
    assert!(named.status.code() == Some(1) && said.contains("registry.toml:2"), "{said}");
}

#[test]
fn a_signal_is_passed_to_the_command() {
    let script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done";
    let mut child = Command::new(env!("CARGO_BIN_EXE_wharf"))
        .args(["run", "--", "sh", "-c", script])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::TERM).unwrap();
    assert_eq!(ended(&mut child).code(), Some(5));
}

/// A command that prints the statuses of requests without and with a password.
const STATUSES: &str = "exec 3<>/dev/tcp/${WHARF_REGISTRY%:*}/${WHARF_REGISTRY#*:}
for header in X: 'Authorization: Basic YWxpY2U6c2VjcmV0' 'Authorization: Basic YWxpY2U6d3Jvbmc='; do
  exec 3<>/dev/tcp/${WHARF_REGISTRY%:*}/${WHARF_REGISTRY#*:}
  printf 'GET /v2/ HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n%s\\r\\n\\r\\n' \"$header\" >&3
  read -r _ status _ <&3; echo $status
done";

#[test]
fn users_of_the_command_line_and_the_environment_are_let_in() {
    for (arguments, variables) in [
        (vec!["run", "--user", "alice:secret", "--", "bash", "-c", STATUSES], vec![PATH]),
        (vec!["run", "--", "bash", "-c", STATUSES], vec![PATH, ("WHARF_USERS", "bob:x\nalice:secret")]),
    ] {
        let ran = wharf(&arguments, &variables);
        assert_eq!(ran.out, "401\n200\n401\n", "{ran:?}");
        assert_eq!(ran.err, "", "no log is mixed with the command's output");
    }
}

#[test]
fn a_registry_is_never_open_by_a_bad_user() {
    let cases: [(&[&str], &str, &str); 5] = [
        (&["run", "--", "true"], " ", "WHARF_USERS names nobody"),
        (&["run", "--", "true"], "alice", "WHARF_USERS: a user is NAME:PASSWORD"),
        (&["run", "--user", "alice:", "--", "true"], "bob:x", "--user: a password has"),
        (
            &["run", "--user", "alice:hunter2", "--user", "alice:x", "--", "true"],
            "bob:x",
            "--user: the user alice is named twice",
        ),
        (&["run", "--", "true"], "bob:hunter2 bob:x", "WHARF_USERS: the user bob is named twice"),
    ];
    for (arguments, users, word) in cases {
        let ran = wharf(arguments, &[PATH, ("WHARF_USERS", users)]);
        assert!(ran.code == 1 && ran.err.contains(word) && !ran.err.contains("hunter2"), "{ran:?}");
    }
}

#[test]
fn a_bad_archive_is_refused_before_anything_is_served() {
    for arguments in
        [&["serve", "--load", "/nonexistent/app.tar"][..], &["run", "--load", "/nonexistent/app.tar", "true"]]
    {
        let ran = wharf(arguments, &[PATH, ("REGISTRY_STORAGE", "inmemory"), ("REGISTRY_HTTP_ADDR", "127.0.0.1:0")]);
        assert!(ran.code == 1 && ran.err.contains("/nonexistent/app.tar") && !ran.err.contains("listening"), "{ran:?}");
    }
}
