//! `htpasswd`: the binary under that name.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    io::Write as _,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

use super::wharf::Ran;

/// The binary under the name `htpasswd`, in a directory.
fn htpasswd(directory: &Path, arguments: &[&str], input: &str) -> Ran {
    let program = directory.join("htpasswd");
    if !program.exists() {
        symlink(env!("CARGO_BIN_EXE_wharf"), &program).unwrap();
    }
    let mut command = Command::new(program);
    command.args(arguments).env_clear().current_dir(directory);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that refuses its arguments reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn is_password(line: &str, password: &str) -> bool {
    let line = line.trim_end();
    let user = line.split(':').next().unwrap();
    htpasswd_verify::Htpasswd::new_borrowed(line).check(user, password)
}

#[test]
fn a_line_is_printed_as_apache_prints_it() {
    let directory = tempfile::tempdir().unwrap();
    let rows: [(&[&str], &str, &str, &str); 8] = [
        (&["-Bbn", "u", "p w"], "", "u:$2y$10$", "p w"),
        (&["-nbB", "-C", "4", "u", "-p"], "", "u:$2y$04$", "-p"),
        (&["-B", "-b", "-n", "-C05", "jos\u{e9}", "\u{fc}"], "", "jos\u{e9}:$2y$05$", "\u{fc}"),
        (&["-bnBC", "4", "u", "p"], "", "u:$2y$04$", "p"),
        (&["-bn", "u", "p"], "", "u:$2y$10$", "p"),
        (&["-nib", "u"], "p", "", ""),
        (&["-niB", "-C", "4", "u"], "from input\nmore\n", "u:$2y$04$", "from input"),
        (&["-inC4", "u"], "p", "u:$2y$04$", "p"),
    ];
    for (arguments, input, beginning, password) in rows {
        let ran = htpasswd(directory.path(), arguments, input);
        if beginning.is_empty() {
            assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
            continue;
        }
        assert_eq!((ran.code, &*ran.err), (0, ""), "{arguments:?}: {ran:?}");
        assert!(ran.out.starts_with(beginning) && ran.out.ends_with("\n\n"), "{arguments:?}: {ran:?}");
        assert!(is_password(&ran.out, password), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn a_file_is_begun_and_changed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("users");
    let lines = || fs::read_to_string(&file).unwrap().lines().map(ToOwned::to_owned).collect::<Vec<_>>();
    let rows: [(&[&str], i32, &str, usize); 6] = [
        (&["-Bb", "users", "alice", "one"], 1, "users: it can't be read: there is no such file", 0),
        (&["-BbcC4", "users", "alice", "one"], 0, "Adding password for user alice", 1),
        (&["-BbC4", "users", "bob", "two"], 0, "Adding password for user bob", 2),
        (&["-BbC5", "users", "alice", "three"], 0, "Updating password for user alice", 2),
        (&["-BiC4", "users", "bob"], 0, "Updating password for user bob", 2),
        (&["-BbcC4", "users", "carol", "four"], 0, "Adding password for user carol", 1),
    ];
    for (arguments, code, said, count) in rows {
        let ran = htpasswd(directory.path(), arguments, "input\n");
        assert_eq!((ran.code, &*ran.out), (code, ""), "{arguments:?}: {ran:?}");
        assert_eq!(ran.err, format!("wharf: {said}\n"), "{arguments:?}");
        if code == 0 {
            assert_eq!(lines().len(), count, "{arguments:?}");
        }
        if arguments.contains(&"three") {
            assert!(lines()[0].starts_with("alice:$2y$05$") && is_password(&lines()[0], "three"));
        }
    }
    assert!(is_password(&lines()[0], "four"));
}

/// One sentence says what is wrong, and no password is in it.
#[test]
fn bad_arguments_get_one_clear_message() {
    let directory = tempfile::tempdir().unwrap();
    let long = "s".repeat(73);
    let rows: [(&[&str], i32, &str); 15] = [
        (&[], 2, "the file and the user are missing"),
        (&["-n"], 2, "the user is missing"),
        (&["users"], 2, "the file and the user are missing, or the user"),
        (&["-bn", "u"], 2, "-b needs the password after the user"),
        (&["-n", "u", "secret"], 2, "only with -b"),
        (&["-nb", "u", "secret", "more"], 2, "too many arguments"),
        (&["-Bbx", "u", "secret"], 2, "unexpected argument '-x'"),
        (&["-mbn", "u", "secret"], 2, "bcrypt is the only supported hash"),
        (&["-sbn", "u", "secret"], 2, "bcrypt is the only supported hash"),
        (&["-D", "users", "u"], 2, "`wharf user` removes users"),
        (&["-nbC", "17", "u", "secret"], 2, "4..=14"),
        (&["-cnb", "u", "secret"], 2, "cannot be used with"),
        (&["-nb", "a:b", "secret"], 1, "a user's name has no ':'"),
        (&["-nb", "u", ""], 1, "a password has 1 to 72 bytes"),
        (&["-nb", "u", &long], 1, "this one has 73"),
    ];
    for (arguments, code, said) in rows {
        let ran = htpasswd(directory.path(), arguments, "");
        assert_eq!((ran.code, &*ran.out), (code, ""), "{arguments:?}: {ran:?}");
        assert!(ran.err.contains(said), "{arguments:?}: {ran:?}");
        assert!(!ran.err.contains("secret") && !ran.err.contains("sss"), "{arguments:?}: {ran:?}");
    }
}
