//! A model of how a collection has a bucket for itself (`docs/s3.md`, collection): every order of the steps of a node
//! and two collectors, with pauses and crashes anywhere, requests that are carried out late, and lost answers.
//!
//! The content of one blob is in the store, and nothing refers to it. A push looks for it and writes a link to it; a
//! collection looks for links and deletes the content. A link without content is a loss. Each safeguard is taken out in
//! turn; the loss must then be found.

use std::collections::{HashSet, VecDeque};

/// How long after its date the store accepts a request.
const SIGNATURE: u8 = 2;

/// The age at which an entry counts for nothing, and the gap between two renewals after which a lease is another one.
const DEAD: u8 = 3;

/// The last moment of the store's clock.
const END: u8 = 5;

/// How many leases the node has at the most, one after the other.
const TERMS: u8 = 2;

/// A safeguard that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Without {
    Nothing,
    /// Requests have the date of the lease that they were begun under.
    DatesOfTheLease,
    /// Entries count until the requests of their owners are refused.
    PatienceWithEntries,
    /// A push that began under another lease is refused.
    TermOfThePush,
    /// A node looks for a collection after it wrote its entry.
    LookAtTheLock,
    /// The collection looks for nodes after it wrote its entry.
    ListAfterTheLock,
    /// A collection whose renewal came late ends.
    GapOfTheCollector,
    /// The lock is taken over only as it was seen.
    ConditionOfTheLock,
    /// The entry of a process that does not know the end of a request stays.
    EntryAfterLostAnswer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Push {
    None,
    /// It began under this lease.
    Begun(u8),
    /// The content was there, or was uploaded.
    Looked(u8),
    Sent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Node {
    /// The date of its last renewal, as it knows it.
    known: u8,
    /// Its lease, counted; 0: none.
    term: u8,
    /// It wrote an entry, and has not looked for a collection yet.
    has_to_look: bool,
    push: Push,
    terms: u8,
    /// It does not know how a request ended.
    is_in_doubt: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Idle,
    /// It saw that there is no lock, or this one, which is old.
    Saw(Option<(usize, u8)>),
    Locked,
    Alone,
    Marked,
    Sent,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Collector {
    stage: Stage,
    known: u8,
    is_in_doubt: bool,
    has_listed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct State {
    now: u8,
    content: bool,
    link: bool,
    /// The node's entry in the store, and the youngest one of a lease that it has no more.
    entry: Option<u8>,
    left: Option<u8>,
    /// The collector that has the lock, and its date.
    lock: Option<(usize, u8)>,
    node: Node,
    collectors: [Collector; 2],
    /// Requests on their way, by their dates: the link, and each collector's delete.
    link_sent: Option<u8>,
    deletes_sent: [Option<u8>; 2],
}

impl State {
    fn first() -> Self {
        let node = Node { known: 0, term: 0, has_to_look: false, push: Push::None, terms: 0, is_in_doubt: false };
        let collector = Collector { stage: Stage::Idle, known: 0, is_in_doubt: false, has_listed: false };
        Self {
            now: 0,
            content: true,
            link: false,
            entry: None,
            left: None,
            lock: None,
            node,
            collectors: [collector; 2],
            link_sent: None,
            deletes_sent: [None; 2],
        }
    }

    fn is_lost(&self) -> bool {
        self.link && !self.content
    }

    /// Whether the store takes a request of this date.
    fn takes(&self, date: u8) -> bool {
        self.now <= date + SIGNATURE
    }

    fn next(self, without: Without) -> Vec<Self> {
        let mut next = Vec::new();
        if self.now < END {
            next.push(Self { now: self.now + 1, ..self });
        }
        self.node_steps(without, &mut next);
        self.link_steps(without, &mut next);
        for which in 0..2 {
            self.collector_steps(which, without, &mut next);
            self.delete_steps(which, without, &mut next);
        }
        next
    }

    fn node_steps(self, without: Without, next: &mut Vec<Self>) {
        let mut step = |change: &dyn Fn(&mut Self)| {
            let mut state = self;
            change(&mut state);
            next.push(state);
        };
        // A renewal, or the first entry of a lease.
        step(&|state| {
            state.entry = Some(state.now);
            let is_late = state.now - state.node.known >= DEAD;
            state.node.known = state.now;
            if state.node.term == 0 || is_late {
                state.node.term = 0;
                state.node.has_to_look = true;
            }
        });
        if self.node.has_to_look && self.node.terms < TERMS {
            step(&|state| {
                state.node.has_to_look = false;
                let is_free = state.lock.is_none_or(|(_, date)| state.node.known - date.min(state.node.known) >= DEAD);
                if is_free || without == Without::LookAtTheLock {
                    state.node.terms += 1;
                    state.node.term = state.node.terms;
                }
            });
        }
        match self.node.push {
            Push::None if self.node.term > 0 => step(&|state| state.node.push = Push::Begun(state.node.term)),
            Push::Begun(term) => step(&|state| {
                // What is missing is uploaded.
                state.content = true;
                state.node.push = Push::Looked(term);
            }),
            Push::Looked(term) => step(&|state| {
                let is_same = state.node.term == term || without == Without::TermOfThePush;
                if !is_same || state.node.term == 0 {
                    state.node.push = Push::None;
                } else if state.link_sent.is_none() {
                    state.node.push = Push::Sent;
                    state.link_sent = Some(state.node.known);
                }
            }),
            _ => {}
        }
        // A kill, and a clean stop.
        if self.node.term > 0 {
            step(&|state| {
                state.left = state.entry.take().max(state.left);
                state.node = Node { terms: state.node.terms, ..Self::first().node };
            });
        }
        let has_ended = matches!(self.node.push, Push::None) && self.node.term > 0;
        if has_ended && (!self.node.is_in_doubt || without == Without::EntryAfterLostAnswer) {
            step(&|state| {
                state.entry = None;
                state.node = Node { terms: state.node.terms, ..Self::first().node };
            });
        }
    }

    fn link_steps(self, without: Without, next: &mut Vec<Self>) {
        let Some(date) = self.link_sent else { return };
        let is_taken = self.takes(date) || without == Without::DatesOfTheLease;
        let push = if self.node.push == Push::Sent { Push::None } else { self.node.push };
        let node = Node { push, ..self.node };
        next.push(Self { link_sent: None, link: self.link || is_taken, node, ..self });
        if self.node.push == Push::Sent {
            // The answer is not waited for any longer; the request may still be carried out.
            next.push(Self { node: Node { push: Push::None, is_in_doubt: true, ..self.node }, ..self });
        }
    }

    fn collector_steps(self, which: usize, without: Without, next: &mut Vec<Self>) {
        let own = self.collectors[which];
        let mut step = |change: &dyn Fn(&mut Self, &mut Collector)| {
            let (mut state, mut own) = (self, own);
            change(&mut state, &mut own);
            state.collectors[which] = own;
            next.push(state);
        };
        let has_lock = self.lock.is_some_and(|(owner, _)| owner == which);
        if matches!(own.stage, Stage::Locked | Stage::Alone | Stage::Marked) {
            // A renewal.
            step(&|state, own| {
                let is_late = state.now - own.known >= DEAD && without != Without::GapOfTheCollector;
                if is_late || !has_lock {
                    own.stage = Stage::Over;
                } else {
                    own.known = state.now;
                    state.lock = Some((which, state.now));
                }
            });
        }
        let patience = if without == Without::PatienceWithEntries { 1 } else { DEAD };
        let is_alone = |state: &Self, known: u8| {
            state.entry.max(state.left).is_none_or(|date| known - date.min(known) >= patience)
        };
        let has_looked = without != Without::ListAfterTheLock || own.has_listed;
        match own.stage {
            Stage::Idle if without == Without::ListAfterTheLock && !own.has_listed && is_alone(&self, self.now) => {
                step(&|_, own| own.has_listed = true);
            }
            Stage::Idle if self.lock.is_none_or(|(_, date)| self.now - date >= DEAD) && has_looked => {
                step(&|state, own| own.stage = Stage::Saw(state.lock));
            }
            Stage::Saw(lock) => step(&|state, own| {
                own.stage = Stage::Over;
                if state.lock == lock || without == Without::ConditionOfTheLock {
                    state.lock = Some((which, state.now));
                    own.known = state.now;
                    own.stage = Stage::Locked;
                }
            }),
            Stage::Locked => step(&|state, own| {
                let is_alone = own.has_listed || is_alone(state, own.known);
                own.stage = if is_alone { Stage::Alone } else { Stage::Over };
                if !is_alone && has_lock {
                    state.lock = None;
                }
            }),
            Stage::Alone => step(&|state, own| own.stage = if state.link { Stage::Over } else { Stage::Marked }),
            Stage::Marked => step(&|state, own| {
                state.deletes_sent[which] = Some(own.known);
                own.stage = Stage::Sent;
            }),
            Stage::Over if has_lock && (!own.is_in_doubt || without == Without::EntryAfterLostAnswer) => {
                step(&|state, _| state.lock = None);
            }
            _ => {}
        }
    }

    fn delete_steps(self, which: usize, without: Without, next: &mut Vec<Self>) {
        let Some(date) = self.deletes_sent[which] else { return };
        let mut done = self;
        done.deletes_sent[which] = None;
        if self.takes(date) || without == Without::DatesOfTheLease {
            done.content = false;
        }
        if done.collectors[which].stage == Stage::Sent {
            done.collectors[which].stage = Stage::Over;
            let mut lost = self;
            lost.collectors[which].stage = Stage::Over;
            lost.collectors[which].is_in_doubt = true;
            next.push(lost);
        }
        next.push(done);
    }
}

/// The number of states without a loss, or the way to one.
fn explore(without: Without) -> Result<usize, State> {
    let mut seen = HashSet::from([State::first()]);
    let mut unread = VecDeque::from([State::first()]);
    while let Some(state) = unread.pop_front() {
        if state.is_lost() {
            return Err(state);
        }
        for next in state.next(without) {
            if seen.insert(next) {
                unread.push_back(next);
            }
        }
    }
    Ok(seen.len())
}

#[test]
fn a_collection_that_has_the_bucket_alone_loses_nothing() {
    let states = explore(Without::Nothing).unwrap_or_else(|state| panic!("a loss: {state:?}"));
    assert!(states > 100_000, "{states}");
}

#[test]
fn each_safeguard_is_needed() {
    for without in [
        Without::DatesOfTheLease,
        Without::PatienceWithEntries,
        Without::TermOfThePush,
        Without::LookAtTheLock,
        Without::ListAfterTheLock,
        Without::GapOfTheCollector,
        Without::ConditionOfTheLock,
        Without::EntryAfterLostAnswer,
    ] {
        assert!(explore(without).is_err(), "nothing is lost without {without:?}");
    }
}
