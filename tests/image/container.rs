//! A container of the image.

use std::{
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use crate::support::{
    client::{Output, run},
    engine::Engine,
    wait::holds_in_time,
};

pub(crate) const IMAGE: &str = "wharf:latest";

/// What `./image` made.
pub(crate) fn built(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/image").join(name);
    assert!(path.exists(), "{} is missing: run ./image with its architecture", path.display());
    path
}

/// That of this machine, in Debian's and Go's words.
pub(crate) fn architecture() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| run(Command::new("dpkg").arg("--print-architecture")).stdout.trim().to_owned())
}

/// The engine, with the image in it.
pub(crate) fn engine() -> &'static Engine {
    static LOADED: OnceLock<&Engine> = OnceLock::new();
    LOADED.get_or_init(|| {
        let engine = Engine::get();
        engine.run(&["load", "--input", built(&format!("wharf-{}.tar", architecture())).to_str().unwrap()]);
        engine
    })
}

/// Runs words in a container of its own, to their end.
pub(crate) fn say(words: &[&str]) -> Output {
    engine().run(&[&["run", "--rm", "--network", "none", IMAGE], words].concat())
}

/// One that goes on until it is dropped, without a network unless the options say otherwise.
pub(crate) struct Container {
    name: String,
}

impl Container {
    pub(crate) fn start(options: &[&str], words: &[&str]) -> Self {
        Self::of(IMAGE, options, words)
    }

    pub(crate) fn of(image: &str, options: &[&str], words: &[&str]) -> Self {
        let name = new_name();
        let network: &[&str] = if options.contains(&"--network") { &[] } else { &["--network", "none"] };
        engine().run(&[&["run", "--detach", "--name", &name], network, options, &[image], words].concat());
        Self { name }
    }

    /// One that [`Container::begin`] starts.
    pub(crate) fn created(image: &str, options: &[&str]) -> Self {
        let name = new_name();
        engine().run(&[&["create", "--name", &name], options, &[image]].concat());
        Self { name }
    }

    pub(crate) fn begin(&self) {
        engine().run(&["start", &self.name]);
    }

    pub(crate) fn restart(&self) {
        engine().run(&["restart", &self.name]);
    }

    /// Unpacks a tar archive into its root.
    pub(crate) fn unpack(&self, archive: File) {
        run(engine().docker(&["cp", "-", &format!("{}:/", self.name)]).stdin(archive));
    }

    /// The same, once it answers by its own word.
    pub(crate) fn ready(options: &[&str], words: &[&str]) -> Self {
        let container = Self::start(options, words);
        container.wait("an answer", || container.attempt(&["/healthcheck.sh"]).success);
        container
    }

    pub(crate) fn wait(&self, what: &str, is_there: impl FnMut() -> bool) {
        assert!(holds_in_time(is_there), "{what} does not come:\n{}", self.logs());
    }

    pub(crate) fn logs(&self) -> String {
        engine().attempt(&["logs", &self.name]).text()
    }

    /// What it wrote to standard error.
    pub(crate) fn errors(&self) -> String {
        engine().attempt(&["logs", &self.name]).stderr
    }

    pub(crate) fn attempt(&self, words: &[&str]) -> Output {
        engine().attempt(&[&["exec", &self.name], words].concat())
    }

    pub(crate) fn run(&self, words: &[&str]) -> Output {
        engine().run(&[&["exec", &self.name], words].concat())
    }

    pub(crate) fn run_behind(&self, words: &[&str]) {
        engine().run(&[&["exec", "--detach", &self.name], words].concat());
    }

    /// What `docker inspect` says in the place of the template.
    pub(crate) fn inspect(&self, template: &str) -> String {
        engine().run(&["inspect", "--format", template, &self.name]).stdout.trim().to_owned()
    }

    /// Stops it as `docker stop` does, and says how long that took.
    pub(crate) fn stop(&self) -> Duration {
        let begin = Instant::now();
        engine().run(&["stop", &self.name]);
        begin.elapsed()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        engine().attempt(&["rm", "--force", "--volumes", &self.name]);
    }
}

fn new_name() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("registry-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A port of this machine that is free.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
