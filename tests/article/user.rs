//! Somebody with a docker client: the engine is shared, logins are not.

use std::{io::Write as _, process::Stdio};

use crate::support::{
    client::{self, Output},
    engine::Engine,
};

/// A docker client with a configuration of its own.
pub(crate) struct User {
    engine: &'static Engine,
    home: tempfile::TempDir,
}

impl User {
    pub(crate) fn new() -> Self {
        Self { engine: Engine::get(), home: tempfile::tempdir().unwrap() }
    }

    fn arguments<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        [&["--config", self.home.path().to_str().unwrap()], arguments].concat()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.engine.run(&self.arguments(arguments))
    }

    pub(crate) fn attempt(&self, arguments: &[&str]) -> Output {
        self.engine.attempt(&self.arguments(arguments))
    }

    /// What it must refuse.
    #[track_caller]
    pub(crate) fn fail(&self, arguments: &[&str]) -> String {
        let output = self.attempt(arguments);
        assert!(!output.success, "it worked: {output}");
        output.text()
    }

    #[track_caller]
    pub(crate) fn login(&self, host: &str, user: &str, password: &str) {
        let output = self.run(&["login", "-u", user, "-p", password, host]);
        assert!(output.stdout.contains("Login Succeeded"), "{output}");
    }

    /// The password by standard input.
    pub(crate) fn login_by_stdin(&self, host: &str, user: &str, password: &str) -> String {
        let mut command = self.engine.docker(&self.arguments(&["login", "-u", user, "--password-stdin", host]));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Typed at the prompts, on a terminal.
    pub(crate) fn login_at_prompts(&self, host: &str, user: &str, password: &str) -> Output {
        let command = self.engine.docker(&self.arguments(&["login", host]));
        let words = [command.get_program()].into_iter().chain(command.get_args());
        let line: Vec<_> = words.map(|word| format!("{{{}}}", word.to_str().unwrap())).collect();
        let script = format!(
            "set timeout 60\nspawn {}\nexpect -re {{Username.*: }}\nsend -- \"{user}\\r\"\nexpect {{Password: }}\nsend -- \
             \"{password}\\r\"\nexpect eof\ncatch wait result\nexit [lindex $result 3]\n",
            line.join(" ")
        );
        client::run(client::command("expect", self.home.path()).arg("-c").arg(script))
    }

    /// The engine's API, asked as the article does: JSON without a Content-Type.
    pub(crate) fn auth(&self, body: &serde_json::Value) -> String {
        let socket = self.engine.socket();
        let mut command = client::command("curl", self.home.path());
        command.args([
            "-s",
            "--unix-socket",
            socket.trim_start_matches("unix://"),
            "-XPOST",
            "-H",
            "Content-Type:",
            "-d",
        ]);
        client::run(command.arg(body.to_string()).arg("localhost/auth")).stdout
    }

    /// What docker has kept.
    pub(crate) fn configuration(&self) -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(self.home.path().join("config.json")).unwrap()).unwrap()
    }

    /// Tags the base image with a name, and pushes it.
    pub(crate) fn push(&self, image: &str) -> Output {
        self.run(&["tag", "alpine:3.10", image]);
        self.run(&["push", image])
    }

    /// A push that must be refused.
    #[track_caller]
    pub(crate) fn fail_push(&self, image: &str) -> String {
        self.run(&["tag", "alpine:3.10", image]);
        self.fail(&["push", image])
    }

    /// Pulls what the engine has forgotten before.
    pub(crate) fn pull(&self, image: &str) -> Output {
        self.attempt(&["rmi", image]);
        self.run(&["pull", image])
    }
}
