#![allow(clippy::unwrap_used, reason = "a test")]

use super::*;
use crate::registry::events::{Action, RepositoryEvent};

fn next(queue: &Queue, endpoint: usize) -> Option<u64> {
    queue.peek(endpoint).map(|next| next.number)
}

/// A record of so many bytes.
fn begin(queue: &Queue, bytes: usize) -> u64 {
    queue.begin(record(), bytes)
}

fn record() -> Record {
    let event = RepositoryEvent {
        repository: &"app".parse().unwrap(),
        action: Action::TagDeleted(&"1".parse().unwrap()),
        source: None,
    };
    Record::of(&event, false).unwrap()
}

#[test]
fn a_change_waits_for_its_end_and_those_after_it_wait_too() {
    let queue = Queue::new(1);
    let (first, second, third) = (begin(&queue, 1), begin(&queue, 1), begin(&queue, 1));
    queue.end(second, Some(Progress::Made));
    assert_eq!(next(&queue, 0), None);
    // One that was not made is passed over, and its record goes.
    queue.end(first, None);
    assert_eq!((next(&queue, 0), queue.finished()), (Some(second), vec![first]));
    queue.removed(1);
    assert_eq!(queue.positions(), (vec![0], second));
    queue.done(0, second);
    assert_eq!((next(&queue, 0), queue.finished()), (None, vec![second]));
    queue.end(third, Some(Progress::Doubtful));
    assert!(queue.peek(0).is_some_and(|next| next.is_doubtful));
    assert_eq!(queue.positions(), (vec![second], second));
}

#[test]
fn a_record_goes_when_all_endpoints_are_done_with_it() {
    let queue = Queue::new(2);
    let number = begin(&queue, 1);
    queue.end(number, Some(Progress::Made));
    queue.done(0, number);
    assert_eq!((next(&queue, 0), next(&queue, 1)), (None, Some(number)));
    assert_eq!((queue.finished(), queue.has(0, number), queue.has(1, number)), (vec![], false, true));
    assert_eq!(queue.give_up(1), 1);
    assert_eq!((queue.finished(), queue.waiting(1).count, queue.has_stored()), (vec![number], 0, false));
}

#[test]
fn the_oldest_are_given_up_but_none_that_is_being_made() {
    let queue = Queue::new(2);
    let numbers: Vec<_> = (0..4).map(|_| begin(&queue, 4097)).collect();
    assert_eq!(queue.bound(BLOCK, Duration::MAX), [0, 0]);
    for number in &numbers {
        queue.end(*number, Some(Progress::Made));
    }
    queue.done(0, numbers[0]);
    // A record takes two blocks here.
    assert_eq!(queue.bound(5 * BLOCK, Duration::MAX), [1, 2]);
    assert_eq!((next(&queue, 0), queue.waiting(1).count), (Some(numbers[2]), 2));
    assert_eq!(queue.bound(u64::MAX, Duration::from_secs(3600)), [0, 0]);
    assert_eq!((queue.bound(u64::MAX, Duration::ZERO), queue.waiting(0).count), (vec![2, 2], 0));
}

/// The date of a record may be far in the past because a clock was set.
#[test]
fn a_record_that_was_left_goes_by_the_time_that_it_waited() {
    let (queue, hour) = (Queue::new(1), Duration::from_secs(3600));
    queue.restore_record(1, 1, SystemTime::UNIX_EPOCH, Duration::ZERO);
    assert_eq!(queue.bound(u64::MAX, hour), [0]);
    queue.restore_record(2, 1, SystemTime::now(), 2 * hour);
    queue.done(0, 1);
    assert_eq!(queue.bound(u64::MAX, hour), [1]);
}

/// A client chooses the length of its `User-Agent`.
#[test]
fn memory_is_bounded_whatever_a_request_holds() {
    let (queue, mut long) = (Queue::new(1), record());
    long.request.useragent = "x".repeat(64 * 1024);
    (0..500).for_each(|_| drop(queue.add(long.clone())));
    assert_eq!(queue.waiting_in_memory(0), usize::try_from(MEMORY).unwrap() / (64 * 1024));
}

#[test]
fn memory_is_bounded() {
    let queue = Queue::new(1);
    let fit = usize::try_from(MEMORY / BLOCK).unwrap();
    let lost: u64 = (0..fit + 5).map(|_| queue.add(record())[0]).sum();
    assert_eq!((lost, queue.waiting_in_memory(0)), (5, fit));
    assert_eq!(queue.give_up(0), fit);
    // Beyond the bound, records are only in the outbox.
    let numbers: Vec<_> = (0..=fit).map(|_| begin(&queue, 1)).collect();
    for number in &numbers {
        queue.end(*number, Some(Progress::Made));
    }
    assert!(queue.peek(0).is_some_and(|next| next.record.is_some()));
    queue.done(0, numbers[fit - 1]);
    assert!(queue.peek(0).is_some_and(|next| next.number == numbers[fit] && next.record.is_none()));
}
