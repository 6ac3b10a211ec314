//! README.md does what it says: its command blocks are run, one after the other, and print what it shows.
//!
//! The first word after the fence says what a block is, the others how it is run:
//!
//! | Fence | Meaning |
//! |---|---|
//! | `sh` | commands that end, each of them well |
//! | `sh server` | a command that goes on; it takes the place of the server before it |
//! | `… needs-docker` | needs programs that `./test` installs: docker, curl, htpasswd, jq |
//! | `console` | what the block before it prints: these lines, and others beside them; `…` is any text |
//!
//! Any other fence is an error here, so that no command stays untried. `cargo run --release` is the binary that was
//! built for the tests, in a directory with the source's `registry.toml`.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

#[allow(dead_code, reason = "these are shared with tests that need more of them")]
mod support {
    pub(crate) mod client;
    pub(crate) mod engine;
    pub(crate) mod wait;
}

use std::{
    env, fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use support::{
    engine::Engine,
    wait::{ended, holds_in_time, kill},
};

/// What `cargo run --release` is here. It leaves its process's number, which is the server's from then on.
const CARGO: &str = r#"#!/bin/sh
test "$1 $2" = "run --release" || { echo "the README may use no cargo but 'cargo run --release'" >&2; exit 64; }
shift 2
test "$1" != -- || shift
echo $$ >"$SCRATCH/server.pid"
exec "$WHARF" "$@"
"#;

/// A block of commands.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    /// Where it begins in the README, for messages.
    line: usize,
    goes_on: bool,
    needs_docker: bool,
    commands: String,
    shown: Vec<String>,
}

/// The blocks of a text, in order.
fn blocks(text: &str) -> Result<Vec<Block>, String> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if line.starts_with("    ") {
            return Err(format!("line {}: commands stand between fences, or they would not be run", index + 1));
        }
        let Some(fence) = line.strip_prefix("```") else { continue };
        let body: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        let number = index + 1;
        let mut words = fence.split_whitespace();
        match words.next() {
            Some("sh") => blocks.push(block(number, words, &body)?),
            Some("console") => {
                let of = blocks.last_mut().filter(|block| block.shown.is_empty() && !block.goes_on);
                let of =
                    of.ok_or(format!("line {number}: there is no block of commands that this could be the output of"))?;
                of.shown = body.into_iter().map(ToOwned::to_owned).collect();
            }
            _ => return Err(format!("line {number}: `{fence}` is no kind of block that this test knows")),
        }
    }
    Ok(blocks)
}

fn block<'a>(line: usize, words: impl Iterator<Item = &'a str>, body: &[&str]) -> Result<Block, String> {
    let commands = format!("{}\n", body.join("\n"));
    let mut block = Block { line, goes_on: false, needs_docker: false, commands, shown: Vec::new() };
    for word in words {
        let flag = match word {
            "server" => &mut block.goes_on,
            "needs-docker" => &mut block.needs_docker,
            _ => return Err(format!("line {line}: `{word}` says nothing of a block")),
        };
        *flag = true;
    }
    Ok(block)
}

/// The first line of `shown` that is not in `printed`. In any order, since that of an answer's headers means nothing;
/// but each of its own.
fn missing<'a>(shown: &'a [String], printed: &str) -> Option<&'a str> {
    let mut printed: Vec<&str> = printed.lines().map(str::trim).collect();
    shown.iter().map(String::as_str).find(|line| {
        let found = printed.iter().position(|printed| is_like(line, printed));
        found.map(|index| printed.swap_remove(index)).is_none()
    })
}

/// Whether `text` is `pattern`, in which `…` is any text.
fn is_like(pattern: &str, text: &str) -> bool {
    let pattern = pattern.trim();
    let Some((first, rest)) = pattern.split_once('…') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut pieces = rest.split('…').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return text.ends_with(piece);
        }
        let Some((_, after)) = text.split_once(piece) else { return false };
        text = after;
    }
    true
}

/// A directory to run the README in, and the server that it started last.
struct Walk {
    scratch: tempfile::TempDir,
    environment: Vec<(&'static str, String)>,
    server: Option<Child>,
}

impl Walk {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let programs = scratch.path().join("programs");
        fs::create_dir(&programs).unwrap();
        fs::write(programs.join("cargo"), CARGO).unwrap();
        fs::set_permissions(programs.join("cargo"), fs::Permissions::from_mode(0o755)).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::copy(source.join("registry.toml"), scratch.path().join("registry.toml")).unwrap();
        let path = env::var("PATH").unwrap_or_default();
        let environment = vec![
            ("PATH", format!("{}:{path}", programs.display())),
            ("SCRATCH", scratch.path().display().to_string()),
            ("WHARF", env!("CARGO_BIN_EXE_wharf").to_owned()),
        ];
        Self { scratch, environment, server: None }
    }

    fn set(&mut self, name: &'static str, value: String) {
        self.environment.push((name, value));
    }

    fn run(&mut self, block: &Block) {
        if block.goes_on {
            self.stop();
            self.start(block);
            return;
        }
        let output = self.shell(block).output().unwrap();
        let printed =
            format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let told = || format!("README.md, line {}\n{}--- printed\n{printed}{}", block.line, block.commands, self.log());
        assert!(output.status.success(), "{} at {}", output.status, told());
        if let Some(line) = missing(&block.shown, &printed) {
            panic!("not printed: {line}\nat {}", told());
        }
    }

    /// Starts a server, which ends what was there before, and waits until it says where it listens.
    fn start(&mut self, block: &Block) {
        let log = fs::File::create(self.scratch.path().join("server.log")).unwrap();
        let child = self.shell(block).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.server = Some(child);
        let mut has_ended = false;
        let listens = holds_in_time(|| {
            has_ended = self.server.as_mut().unwrap().try_wait().unwrap().is_some();
            has_ended || self.log().contains("listening on ")
        });
        let told = || format!("README.md, line {}\n{}{}", block.line, block.commands, self.log());
        assert!(listens && !has_ended, "no server at {}", told());
    }

    /// Ends the server as Ctrl-C does.
    fn stop(&mut self) {
        if let Some(mut child) = self.server.take() {
            self.signal(Signal::INT);
            ended(&mut child);
        }
    }

    /// Every command of a block has to end well, not only its last one.
    fn shell(&self, block: &Block) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", &block.commands]).current_dir(self.scratch.path()).stdin(Stdio::null());
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("REGISTRY_")) {
            shell.env_remove(name);
        }
        shell.envs(self.environment.iter().map(|(name, value)| (name, value)));
        shell
    }

    fn signal(&self, signal: Signal) {
        let pid = fs::read_to_string(self.scratch.path().join("server.pid")).unwrap_or_default();
        // It may have ended already, which is what the signal is for.
        let _ = pid.trim().parse().ok().and_then(Pid::from_raw).map(|pid| kill_process(pid, signal));
    }

    fn log(&self) -> String {
        let log = fs::read_to_string(self.scratch.path().join("server.log")).unwrap_or_default();
        format!("--- the server's log\n{log}")
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        if let Some(mut child) = self.server.take() {
            self.signal(Signal::KILL);
            kill(&mut child);
        }
    }
}

fn readme() -> Vec<Block> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    blocks(&fs::read_to_string(path).unwrap()).unwrap()
}

/// All of it, as a reader goes through it.
#[test]
#[ignore = "needs docker: run ./test"]
fn every_command_does_what_is_shown_needs_docker() {
    for host in ["127.0.0.1", "::1"] {
        if let Err(error) = TcpListener::bind((host, 5000)) {
            let is_taken = error.kind() == std::io::ErrorKind::AddrInUse;
            assert!(
                !is_taken,
                "the README's commands use port 5000, which is taken on this machine: `ss -ltnp` shows by whom"
            );
        }
    }
    let mut walk = Walk::new();
    let config = walk.scratch.path().join("docker").display().to_string();
    walk.set("DOCKER_HOST", Engine::get().socket());
    walk.set("DOCKER_CONFIG", config);
    for block in &readme() {
        walk.run(block);
    }
    walk.stop();
}

/// What needs nothing but Rust, on a port that is free.
#[test]
fn servers_start_and_stop() {
    let mut walk = Walk::new();
    walk.set("REGISTRY_HTTP_ADDR", "localhost:0".to_owned());
    let alone: Vec<_> = readme().into_iter().filter(|block| !block.needs_docker).collect();
    assert!(alone.iter().any(|block| block.goes_on), "the README starts no server");
    for block in &alone {
        walk.run(block);
    }
    walk.stop();
}

#[test]
fn blocks_are_read() {
    let text = "```sh server\nrun\n```\ntext\n```sh needs-docker\na\n\nb\n```\n```console\nx\ny\n```\n";
    let server = Block { line: 1, goes_on: true, needs_docker: false, commands: "run\n".to_owned(), shown: Vec::new() };
    let commands = Block {
        line: 5,
        goes_on: false,
        needs_docker: true,
        commands: "a\n\nb\n".to_owned(),
        shown: vec!["x".to_owned(), "y".to_owned()],
    };
    assert_eq!(blocks(text).unwrap(), [server, commands]);
    for bad in [
        "```\nx\n```",
        "text\n\n    x\n",
        "```bash\nx\n```",
        "```sh fast\nx\n```",
        "```console\nx\n```",
        "```sh server\nx\n```\n```console\ny\n```",
    ] {
        assert!(blocks(bad).is_err(), "{bad}");
    }
}

#[test]
fn what_is_shown_is_looked_for() {
    let table = [
        ("a", "a", true),
        ("a\nc", "a\nb\nc\n", true),
        ("c\na", "a\nb\nc\n", true),
        ("a\na", "a\n", false),
        ("HTTP/1.1 200 OK", "HTTP/1.1 200 OK\r\n", true),
        ("…: Pushed", "0123: Pushed", true),
        ("digest: sha256:… size: …", "digest: sha256:01 size: 5", true),
        ("digest: sha256:… size: 6", "digest: sha256:01 size: 5", false),
        ("…", "", false),
        ("a…b…c", "a1b2c", true),
        ("a…b…c", "a1c2b", false),
        ("a", "ab", false),
    ];
    for (shown, printed, expected) in table {
        let shown: Vec<String> = shown.lines().map(ToOwned::to_owned).collect();
        assert_eq!(missing(&shown, printed).is_none(), expected, "{shown:?} {printed}");
    }
}
