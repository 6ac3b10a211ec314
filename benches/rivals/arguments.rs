//! What the command takes.

use std::path::PathBuf;

/// wharf beside other servers, at the same work
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command")]
#[derive(Debug, clap::Parser)]
#[command(name = "benches/run")]
pub(crate) struct Arguments {
    /// Tiny counts: whether every answer is right, and nothing about time
    #[arg(long)]
    pub(crate) short: bool,
    /// Only these rows, parted by commas
    #[arg(long, value_delimiter = ',', value_name = "ROW")]
    pub(crate) only: Vec<String>,
    /// How often each server has its turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// How long a turn lasts, where the work has no end of its own
    #[arg(long, default_value_t = 3.0)]
    pub(crate) seconds: f64,
    /// Where the stores are made: a disk, and room for 20 GiB
    #[arg(long, default_value = "target/bench", value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    /// The wharf to measure, if not the one that was just built
    #[arg(long, default_value = env!("CARGO_BIN_EXE_wharf"), value_name = "FILE")]
    pub(crate) wharf: PathBuf,
    /// Let all registries write their access logs (to a file); else none does
    #[arg(long)]
    pub(crate) access_log: bool,
    /// Put the table into docs/performance.md
    #[arg(long)]
    pub(crate) write: bool,
    /// `cargo bench` says this to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// How much work there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Turns for each server.
    pub(crate) rounds: u32,
    /// How long a turn lasts.
    pub(crate) seconds: f64,
    /// The length of a large blob in bytes.
    pub(crate) large: usize,
    /// The images that are stored for reads.
    pub(crate) stored: usize,
    /// The small images that each client pushes in one turn.
    pub(crate) images: usize,
    /// The entries of a long listing, and the blobs of a collection.
    pub(crate) entries: usize,
    /// The repositories that are there before a start.
    pub(crate) repositories: usize,
    /// The referrers of one subject.
    pub(crate) referrers: usize,
    /// How often the large blob stands in a huge one.
    pub(crate) huge: usize,
}

impl Scale {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        if arguments.short {
            Self {
                rounds: 1,
                seconds: 0.2,
                large: 4 << 20,
                stored: 2,
                images: 2,
                entries: 300,
                repositories: 100,
                referrers: 50,
                huge: 3,
            }
        } else {
            Self {
                rounds: arguments.rounds,
                seconds: arguments.seconds,
                large: 256 << 20,
                stored: 16,
                images: 50,
                entries: 100_000,
                repositories: 10_000,
                referrers: 5_000,
                huge: 20,
            }
        }
    }
}
