//! The queue: what waits, in order, and how far each endpoint is.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::Notify;

use super::record::Record;

/// How many bytes of pulls wait in memory, and of records beside the outbox. The oldest pulls go first.
const MEMORY: u64 = 8 * 1024 * 1024;

/// What an event in memory counts at the least, and a record on a disk, where a file takes whole blocks.
const BLOCK: u64 = 4096;

/// The events that wait to be sent.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Wakes an endpoint.
    arrived: Vec<Notify>,
}

#[derive(Debug)]
struct State {
    /// The next number.
    next: u64,
    entries: BTreeMap<u64, Entry>,
    /// The numbers of the entries that are only in memory.
    in_memory: VecDeque<u64>,
    memory_bytes: u64,
    stored_bytes: u64,
    /// Of those that are stored, what is in memory as well, so that it need not be read.
    copied_bytes: u64,
    /// For each endpoint, the last number that it is done with.
    cursors: Vec<u64>,
    /// Stored records that no endpoint needs any more.
    finished: Vec<u64>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// By the clock of the system, which may be set: it is only shown.
    since: SystemTime,
    /// How long it had waited before `begun`.
    waited: Duration,
    begun: Instant,
    /// How many bytes it counts.
    bytes: u64,
    progress: Progress,
    /// Whether it is in the outbox.
    is_stored: bool,
    /// `None`: it has to be read from the outbox.
    record: Option<Arc<Record>>,
}

/// Whether the change of an entry was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It is being made.
    Begun,
    /// It was made.
    Made,
    /// The store has to be asked.
    Doubtful,
}

/// The next thing for an endpoint.
#[derive(Clone, Debug)]
pub(super) struct Next {
    pub(super) number: u64,
    pub(super) is_doubtful: bool,
    pub(super) record: Option<Arc<Record>>,
}

/// How much waits for an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) count: usize,
    pub(super) oldest: Option<SystemTime>,
}

impl Queue {
    pub(super) fn new(endpoints: usize) -> Self {
        let state = State {
            next: 1,
            entries: BTreeMap::new(),
            in_memory: VecDeque::new(),
            memory_bytes: 0,
            stored_bytes: 0,
            copied_bytes: 0,
            cursors: vec![0; endpoints],
            finished: Vec::new(),
        };
        Self { state: Mutex::new(state), arrived: (0..endpoints).map(|_| Notify::new()).collect() }
    }

    /// Sets how far the endpoints are, before anything is added.
    pub(super) fn restore(&self, cursors: Vec<u64>, next: u64) {
        let mut state = self.state();
        (state.cursors, state.next) = (cursors, next);
    }

    /// Adds a record of the outbox that an earlier run left, `waited` ago.
    pub(super) fn restore_record(&self, number: u64, bytes: u64, since: SystemTime, waited: Duration) {
        let entry = Entry { since, waited, is_stored: true, ..Entry::new(bytes, Progress::Made, None) };
        self.state().add(number, entry);
    }

    /// Takes a number for a record whose change begins, and which has `bytes` in the outbox.
    pub(super) fn begin(&self, record: Record, bytes: usize) -> u64 {
        let mut entry = Entry { is_stored: true, ..Entry::new(bytes as u64, Progress::Begun, None) };
        let mut state = self.state();
        let number = state.take_number();
        entry.record = (state.copied_bytes + entry.bytes <= MEMORY).then(|| Arc::new(record));
        state.add(number, entry);
        number
    }

    /// Notes how the change of a record ended; `None`: it was not made.
    pub(super) fn end(&self, number: u64, progress: Option<Progress>) {
        let mut state = self.state();
        match progress {
            Some(progress) => {
                if let Some(entry) = state.entries.get_mut(&number) {
                    entry.progress = progress;
                }
            }
            None => state.remove(number),
        }
        drop(state);
        self.wake();
    }

    /// Adds an event that waits in memory; for each endpoint, how many others had to go for it.
    pub(super) fn add(&self, record: Record) -> Vec<u64> {
        let entry = Entry::new(record.bytes(), Progress::Made, Some(Arc::new(record)));
        let mut state = self.state();
        let number = state.take_number();
        state.add(number, entry);
        let mut lost = vec![0; state.cursors.len()];
        while state.memory_bytes > MEMORY
            && let Some(oldest) = state.in_memory.front().copied()
        {
            state.lose(oldest, &mut lost);
        }
        drop(state);
        self.wake();
        lost
    }

    /// Waits for the next thing that an endpoint has to send.
    pub(super) async fn next(&self, endpoint: usize) -> Next {
        loop {
            if let Some(next) = self.peek(endpoint) {
                return next;
            }
            self.arrived[endpoint].notified().await;
        }
    }

    fn peek(&self, endpoint: usize) -> Option<Next> {
        let state = self.state();
        let (number, entry) = state.entries.range(state.cursors[endpoint] + 1..).next()?;
        (entry.progress != Progress::Begun).then(|| Next {
            number: *number,
            is_doubtful: entry.progress == Progress::Doubtful,
            record: entry.record.clone(),
        })
    }

    /// Whether an endpoint has still to send this.
    pub(super) fn has(&self, endpoint: usize, number: u64) -> bool {
        let state = self.state();
        state.cursors[endpoint] < number && state.entries.contains_key(&number)
    }

    /// An endpoint is done with everything up to `number`.
    pub(super) fn done(&self, endpoint: usize, number: u64) {
        let mut state = self.state();
        state.cursors[endpoint] = state.cursors[endpoint].max(number);
        state.clear_done();
    }

    /// Gives up all that waits for an endpoint and whose change has ended; how many that is.
    pub(super) fn give_up(&self, endpoint: usize) -> usize {
        let mut state = self.state();
        let from = state.cursors[endpoint] + 1;
        let ended = state.entries.range(from..).take_while(|(_, entry)| entry.progress != Progress::Begun);
        let numbers: Vec<u64> = ended.map(|(number, _)| *number).collect();
        if let Some(last) = numbers.last() {
            state.cursors[endpoint] = *last;
        }
        state.clear_done();
        numbers.len()
    }

    /// Gives up the oldest records while the outbox has more than `max_bytes`, and those that have waited longer than
    /// `max_age`; for each endpoint, how many it loses.
    pub(super) fn bound(&self, max_bytes: u64, max_age: Duration) -> Vec<u64> {
        let mut state = self.state();
        let mut lost = vec![0; state.cursors.len()];
        loop {
            let is_full = state.stored_bytes > max_bytes;
            let first = state.entries.first_key_value();
            let oldest = first.filter(|(_, entry)| entry.waited.saturating_add(entry.begun.elapsed()) > max_age);
            let oldest =
                oldest.or_else(|| is_full.then(|| state.entries.iter().find(|(_, entry)| entry.is_stored)).flatten());
            // A record that is being made is never given up. It ends soon.
            match oldest.filter(|(_, entry)| entry.progress != Progress::Begun).map(|(number, _)| *number) {
                Some(number) => state.lose(number, &mut lost),
                None => return lost,
            }
        }
    }

    /// Stored records that no endpoint needs any more.
    pub(super) fn finished(&self) -> Vec<u64> {
        self.state().finished.clone()
    }

    /// The first `count` of those were removed.
    pub(super) fn removed(&self, count: usize) {
        self.state().finished.drain(..count);
    }

    /// For each endpoint, the last number that it is done with; and the last number before which all changes have
    /// ended.
    pub(super) fn positions(&self) -> (Vec<u64>, u64) {
        let state = self.state();
        let open = state.entries.iter().find(|(_, entry)| entry.progress != Progress::Made);
        (state.cursors.clone(), open.map_or(state.next, |(number, _)| *number) - 1)
    }

    /// How much waits for an endpoint.
    pub(super) fn waiting(&self, endpoint: usize) -> Waiting {
        let state = self.state();
        let mut waiting = state.entries.range(state.cursors[endpoint] + 1..);
        let oldest = waiting.next().map(|(_, entry)| entry.since);
        Waiting { count: usize::from(oldest.is_some()) + waiting.count(), oldest }
    }

    /// How many events in memory wait for an endpoint.
    pub(super) fn waiting_in_memory(&self, endpoint: usize) -> usize {
        let state = self.state();
        state.in_memory.iter().filter(|number| **number > state.cursors[endpoint]).count()
    }

    /// Whether stored records wait.
    pub(super) fn has_stored(&self) -> bool {
        self.state().stored_bytes > 0
    }

    fn wake(&self) {
        self.arrived.iter().for_each(Notify::notify_one);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    fn add(&mut self, number: u64, entry: Entry) {
        if entry.is_stored {
            self.stored_bytes += entry.bytes;
            self.copied_bytes += entry.copied();
        } else {
            self.in_memory.push_back(number);
            self.memory_bytes += entry.bytes;
        }
        self.entries.insert(number, entry);
    }

    /// Removes an entry that nobody needs; its record goes later.
    fn remove(&mut self, number: u64) {
        let Some(entry) = self.entries.remove(&number) else { return };
        if entry.is_stored {
            self.finished.push(number);
            self.stored_bytes -= entry.bytes;
            self.copied_bytes -= entry.copied();
        } else {
            self.in_memory.retain(|other| *other != number);
            self.memory_bytes -= entry.bytes;
        }
    }

    /// Removes an entry, and counts the endpoints that had it still to send.
    fn lose(&mut self, number: u64, lost: &mut [u64]) {
        for (cursor, lost) in self.cursors.iter().zip(lost) {
            *lost += u64::from(*cursor < number);
        }
        self.remove(number);
    }

    fn clear_done(&mut self) {
        let done = self.cursors.iter().copied().min().unwrap_or(u64::MAX);
        while let Some((number, _)) = self.entries.first_key_value()
            && *number <= done
        {
            let number = *number;
            self.remove(number);
        }
    }
}

impl Entry {
    /// An entry in memory that begins to wait now.
    fn new(bytes: u64, progress: Progress, record: Option<Arc<Record>>) -> Self {
        let (since, waited, begun) = (SystemTime::now(), Duration::ZERO, Instant::now());
        Self { since, waited, begun, bytes: blocks(bytes), progress, is_stored: false, record }
    }

    /// How many bytes it has in memory beside the outbox.
    fn copied(&self) -> u64 {
        if self.is_stored && self.record.is_some() { self.bytes } else { 0 }
    }
}

fn blocks(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK).max(1) * BLOCK
}

#[cfg(test)]
mod tests;
