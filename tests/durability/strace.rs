//! strace's log as events, in the order in which they happened.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::support::{client::find, wait::end};

/// strace's command line that writes the calls of a process and its threads to `log`.
pub(crate) fn command_line(log: &Path, filters: &[&str]) -> Vec<String> {
    let fixed = ["-f", "-y", "-s", "800", "--seccomp-bpf", "-o", log.to_str().unwrap()];
    let strace = find("strace").display().to_string();
    [strace].into_iter().chain(fixed.iter().chain(filters).map(ToString::to_string)).collect()
}

/// strace on a process that runs already, from when this is made until it is dropped.
pub(crate) struct Attached(Child);

impl Attached {
    pub(crate) fn new(pid: i32, log: &Path, filters: &[&str]) -> Self {
        let mut command = Command::new(find("strace"));
        command.args(["-f", "-y", "-p", &pid.to_string(), "-o", log.to_str().unwrap()]).args(filters);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut said).unwrap();
        assert!(said.contains("attached"), "strace: {said}");
        Self(child)
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        // It lets its process go on when it is asked to end; killed, it might leave it stopped.
        // Where its process was aborted it may wait for ever for a thread that nobody will report any more.
        end(&mut self.0, Duration::from_secs(5));
    }
}

/// One end of a call.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// Which call it is, the same for its two events.
    pub(crate) call: usize,
    pub(crate) name: String,
    pub(crate) arguments: String,
    /// `None` when it begins, the result when it has ended.
    pub(crate) result: Option<String>,
}

impl Event {
    pub(crate) fn succeeded(&self) -> bool {
        self.result.as_ref().is_some_and(|result| !result.starts_with('-') && !result.starts_with('?'))
    }

    /// The paths that strace writes in quotes, in order.
    pub(crate) fn quoted(&self) -> Vec<PathBuf> {
        self.arguments.split('"').skip(1).step_by(2).map(PathBuf::from).collect()
    }

    /// The path of the first file descriptor, as in `7</tmp/x>`.
    pub(crate) fn descriptor(&self) -> Option<PathBuf> {
        let rest = self.arguments.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix('<')?;
        Some(PathBuf::from(rest.split('>').next()?.trim_end_matches("(deleted)").trim_end()))
    }

    /// The whole paths of a call with directories and paths relative to them, as `renameat(3</a>, "b", 4</c>, "d")`.
    pub(crate) fn resolved(&self) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        let mut base = PathBuf::new();
        for (position, part) in self.arguments.split('"').enumerate() {
            if position % 2 == 1 {
                paths.push(base.join(part));
            } else if let Some((_, directory)) = part.rsplit_once('<') {
                base = PathBuf::from(directory.split('>').next().unwrap_or_default());
            }
        }
        paths
    }
}

/// Reads a log; each call is two events, between which other threads' ones may be.
pub(crate) fn read(log: &Path) -> Vec<Event> {
    let text = String::from_utf8_lossy(&fs::read(log).unwrap()).into_owned();
    let (mut events, mut open, mut calls) = (Vec::new(), HashMap::new(), 0);
    for line in text.lines() {
        let Some((pid, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let Some(mut event) = open.remove(pid) else { continue };
            complete(&mut event, resumed.split_once("resumed>").map_or("", |(_, rest)| rest));
            events.push(event);
            continue;
        }
        let Some((name, rest)) = rest.split_once('(') else { continue };
        calls += 1;
        let mut event = Event { call: calls, name: name.to_owned(), arguments: String::new(), result: None };
        if let Some(begun) = rest.strip_suffix("<unfinished ...>") {
            begun.clone_into(&mut event.arguments);
            events.push(event.clone());
            open.insert(pid.to_owned(), event);
        } else {
            let mut ended = event.clone();
            complete(&mut ended, rest);
            event.arguments.clone_from(&ended.arguments);
            events.extend([event, ended]);
        }
    }
    events
}

fn complete(event: &mut Event, rest: &str) {
    let (arguments, result) = rest.rsplit_once(" = ").unwrap_or((rest, "?"));
    event.arguments.push_str(arguments.trim_end().trim_end_matches(')'));
    event.result = Some(result.to_owned());
}

#[test]
fn calls_that_others_interrupt_are_put_together() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let text = "7 fsync(3</a> <unfinished ...>\n8 rename(\"/x\", \"/y\") = 0\n7 <... fsync resumed>) = 0\n\
                7 mkdirat(AT_FDCWD</cwd>, \"d\", 0777) = -1 EIO (Input/output error) (INJECTED)\n";
    fs::write(&log, text).unwrap();
    let events = read(log.path());
    let order: Vec<_> = events.iter().map(|event| (event.call, event.result.is_some())).collect();
    assert_eq!(order, [(1, false), (2, false), (2, true), (1, true), (3, false), (3, true)]);
    assert_eq!(events[3].descriptor(), Some(PathBuf::from("/a")));
    assert!(events[3].succeeded() && !events[5].succeeded());
    assert_eq!(events[2].quoted(), [Path::new("/x"), Path::new("/y")]);
    assert_eq!(events[5].resolved(), [Path::new("/cwd/d")]);
}
