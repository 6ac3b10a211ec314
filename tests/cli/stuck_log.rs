//! A log that nobody reads.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, ChildStderr, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::wait::{ended, kill, pass, terminate};

/// More than the pipe holds, which is what stood still after 500.
const REQUESTS: usize = 3000;

struct Program {
    child: Child,
    log: BufReader<ChildStderr>,
    address: String,
}

impl Program {
    /// The program with its log in a pipe that is read until it listens, and not after.
    fn start(directory: &std::path::Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wharf"))
            .current_dir(directory)
            .env_clear()
            .env("REGISTRY_HTTP_ADDR", "127.0.0.1:0")
            .env("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", directory)
            .env("REGISTRY_LOG_FIELDS_LONG", "x".repeat(1000))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "the program ended");
            if let Some((_, rest)) = line.split_once("listening on ") {
                break rest.split(' ').next().unwrap().to_owned();
            }
        };
        Self { child, log, address }
    }

    fn ask(&self) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut answered = 0;
        for _ in 0..REQUESTS / 100 {
            stream.write_all("GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100).as_bytes()).unwrap();
            let mut got = String::new();
            while got.matches("HTTP/1.1 200").count() < 100 || !got.ends_with("{}") {
                let mut piece = vec![0; 65536];
                let read = stream.read(&mut piece).expect("every request is answered");
                assert!(read > 0, "the connection ended");
                got.push_str(std::str::from_utf8(&piece[..read]).unwrap());
            }
            answered += 100;
        }
        assert_eq!(answered, REQUESTS);
    }

    fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        kill(&mut self.child);
    }
}

#[test]
fn report_s7_a_log_that_nobody_reads_holds_up_neither_requests_nor_signals() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = Program::start(directory.path());
    program.ask();
    // A second client finds a server that answers.
    program.ask();
    // One SIGTERM has to be enough.
    let status = terminate(&mut program.child);
    assert!(status.success(), "{status}");
}

#[test]
fn report_s7_what_was_not_written_is_counted_when_the_log_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = Program::start(directory.path());
    program.ask();
    program.terminate();
    let mut rest = String::new();
    program.log.read_to_string(&mut rest).unwrap();
    assert!(ended(&mut program.child).success());
    let lines = rest.lines().filter(|line| line.contains(" status=200 ")).count();
    let lost = rest.lines().filter_map(|line| line.split_once("lines are missing here lines=")?.1.split(' ').next());
    let lost: usize = lost.map(|count| count.parse::<usize>().unwrap()).sum();
    assert!(lost > 0, "{lines} lines and nothing was lost");
    // The lines of the end may be among those that were lost.
    assert!((REQUESTS..REQUESTS + 3).contains(&(lines + lost)), "{lines} lines, {lost} lost");
    assert!(rest.lines().all(|line| line.ends_with(&"x".repeat(1000))), "no line is torn");
}

/// What a command prints is its answer, and is never dropped for a slow reader.
#[test]
fn report_s7_the_output_of_a_command_waits_for_its_reader() {
    let run = |arguments: &[&str]| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wharf"))
            .args(arguments)
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        pass(Duration::from_millis(300), "the reader is late");
        let mut out = String::new();
        let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        io::Read::read_to_string(&mut stdout, &mut out).unwrap();
        io::Read::read_to_string(&mut stderr, &mut out).unwrap();
        ended(&mut child);
        out
    };
    assert_eq!(run(&["config", "reference"]), wharf::config::reference());
    let nowhere = format!("/{}", "n/".repeat(1000));
    assert!(run(&["serve", &nowhere]).contains(&nowhere));
}
