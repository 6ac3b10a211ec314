//! The kinds of work: one function for each, or for some that share their stores.

mod collection;
mod downloads;
mod image;
mod listings;
pub(crate) mod memory;
mod mirror;
mod notifications;
mod page;
pub(crate) mod passwords;
mod pushes;
mod race;
mod reads;
mod size;
mod start;

use std::{cell::Cell, fs, io, path::PathBuf, rc::Rc, sync::Arc};

use rustls::ClientConfig;

use super::{
    arguments::{Arguments, Scale},
    contestant::{Contestant, Guard},
    figures::Row,
    server::Server,
    tls,
};

/// What a row needs to know.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) arguments: Arguments,
    pub(crate) scale: Scale,
    /// Where the stores are.
    pub(crate) folder: PathBuf,
    /// The most memory that a wharf has had, in bytes.
    pub(crate) peak: Rc<Cell<u64>>,
    pub(crate) tls: Arc<ClientConfig>,
    scratch: tempfile::TempDir,
}

type Work = fn(&Bench) -> io::Result<Vec<Row>>;

/// The rows by the names that `--only` takes.
pub(crate) const ROWS: [(&str, Work); 15] = [
    ("reads", reads::reads),
    ("downloads", downloads::plain),
    ("downloads-tls", downloads::encrypted),
    ("push", pushes::whole),
    ("push-chunks", pushes::in_chunks),
    ("images", pushes::images),
    ("notifications", notifications::notifications),
    ("passwords", passwords::passwords),
    ("memory", memory::memory),
    ("start", start::start),
    ("listings", listings::listings),
    ("page", page::page),
    ("mirror", mirror::mirror),
    ("collection", collection::collection),
    ("size", size::size),
];

impl Bench {
    pub(crate) fn new(mut arguments: Arguments) -> io::Result<Self> {
        // It is started in other folders.
        arguments.wharf = fs::canonicalize(&arguments.wharf)?;
        fs::create_dir_all(&arguments.folder)?;
        let scratch = tempfile::tempdir_in(fs::canonicalize(&arguments.folder)?)?;
        let folder = scratch.path().to_owned();
        let tls = tls::make(&folder)?;
        passwords::write(&folder)?;
        Ok(Self { scale: Scale::new(&arguments), arguments, folder, peak: Rc::default(), tls, scratch })
    }

    pub(crate) fn wants(&self, row: &str) -> bool {
        self.arguments.only.is_empty() || self.arguments.only.iter().any(|name| name == row)
    }

    /// Where a server's program is, if it is installed.
    pub(crate) fn program(&self, contestant: Contestant) -> Option<PathBuf> {
        contestant.program(&self.arguments.wharf)
    }

    /// Those of `contestants` that are installed, each on an empty store.
    fn servers(&self, contestants: &[Contestant], guard: Guard) -> io::Result<Vec<Server>> {
        self.clear()?;
        let started = contestants.iter().map(|contestant| Server::start(self, *contestant, guard, "a"));
        started.filter_map(Result::transpose).collect()
    }

    fn wharf(&self, guard: Guard, name: &str) -> io::Result<Server> {
        Server::start(self, Contestant::Wharf, guard, name)?.ok_or_else(|| io::Error::other("there is no wharf"))
    }

    /// Where `wharf(_, name)` has its store.
    fn store(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}-wharf/store"))
    }

    /// Throws the stores away that are left from the row before.
    fn clear(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.scratch.path())?.flatten().filter(|entry| entry.path().is_dir()) {
            fs::remove_dir_all(entry.path())?;
        }
        Ok(())
    }
}
