//! Writes the log to standard error on its own thread, so that a slow reader of the log delays nothing else.
//!
//! Lines go into a bounded buffer. Lines that do not fit are counted, and the count becomes a line of the log as soon
//! as the log can be written again.

use std::{
    io::{self, ErrorKind, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// The size of the buffer in bytes; about 8,000 lines.
const CAPACITY: usize = 1024 * 1024;
/// The wait before a retry, if another process made standard error non-blocking.
const RETRY_DELAY: Duration = Duration::from_millis(10);

/// A handle to the buffer. All clones share it.
#[derive(Clone)]
pub(super) struct LogWriter(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// The number of lines that did not fit.
    lost: u64,
    is_writing: bool,
}

impl LogWriter {
    /// Starts the thread that writes to `out`. `lost` makes the line that reports a number of lost lines.
    pub(super) fn start(out: impl Write + Send + 'static, lost: impl Fn(u64) -> String + Send + 'static) -> Self {
        let writer = Self(Arc::default());
        let shared = Arc::clone(&writer.0);
        // If the thread can't be started, there is no place to report it.
        let _ = thread::Builder::new().name("log".to_owned()).spawn(move || shared.write_to(out, lost));
        writer
    }

    /// Waits until the buffer is empty, no longer than `timeout`.
    pub(super) fn flush(&self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        let mut state = self.0.lock();
        while state.is_writing || !state.waiting.is_empty() || state.lost > 0 {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return };
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The subscriber writes one line per call.
impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.0.lock();
        if state.waiting.len() + line.len() > CAPACITY {
            state.lost += 1;
        } else {
            state.waiting.extend_from_slice(line);
        }
        drop(state);
        self.0.changed.notify_all();
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The loop of the thread. It does not end.
    fn write_to(&self, mut out: impl Write, lost: impl Fn(u64) -> String) {
        loop {
            let (lines, missing) = self.take();
            write_all(&mut out, &lines);
            if missing > 0 {
                write_all(&mut out, lost(missing).as_bytes());
            }
            self.lock().is_writing = false;
            self.changed.notify_all();
        }
    }

    /// Waits for lines, and takes them and the number of lost ones. The lost lines came after those in the buffer.
    fn take(&self) -> (Vec<u8>, u64) {
        let mut state = self.lock();
        while state.waiting.is_empty() && state.lost == 0 {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.is_writing = true;
        (std::mem::take(&mut state.waiting), std::mem::take(&mut state.lost))
    }
}

/// Writes all bytes, or gives up if `out` is closed.
fn write_all(out: &mut impl Write, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(written) if written > 0 => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY_DELAY),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(_) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::mpsc;

    use super::*;

    /// A reader that takes nothing until it is told to.
    struct Gate(mpsc::Receiver<()>, Arc<Mutex<Vec<u8>>>, bool);

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if !self.2 {
                self.0.recv().unwrap();
                self.2 = true;
                return Err(ErrorKind::WouldBlock.into());
            }
            // A pipe takes as much as it has room for.
            let most = bytes.len().min(1000);
            self.1.lock().unwrap().extend_from_slice(&bytes[..most]);
            Ok(most)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn report_s7_what_finds_no_room_is_counted_and_said() {
        let (open, gate) = mpsc::channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let mut writer = LogWriter::start(Gate(gate, Arc::clone(&written), false), |lost| format!("lost {lost}\n"));
        let line = [b'x'; 99].iter().chain(b"\n").copied().collect::<Vec<u8>>();
        let begun = Instant::now();
        for _ in 0..100_000 {
            writer.write_all(&line).unwrap();
        }
        writer.flush(Duration::from_millis(50));
        assert!(begun.elapsed() < Duration::from_secs(30));
        assert!(written.lock().unwrap().is_empty());
        open.send(()).unwrap();
        writer.flush(Duration::from_secs(60));
        writer.write_all(b"afterwards\n").unwrap();
        writer.flush(Duration::from_secs(60));
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let lost: u64 = text.lines().filter_map(|line| line.strip_prefix("lost ")?.parse::<u64>().ok()).sum();
        let whole = text.lines().filter(|text| text.as_bytes() == &line[..99]).count() as u64;
        assert!(lost > 0 && whole >= (CAPACITY / line.len()) as u64, "{lost} {whole}");
        assert_eq!(lost + whole, 100_000);
        assert!(text.ends_with("afterwards\n"));
    }
}
