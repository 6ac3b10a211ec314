//! What notifications cost a push: wharf with an endpoint that accepts everything, and wharf without one.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    Bench,
    pushes::{Image, each, image, push_image},
};
use crate::{
    blob::SMALL,
    contestant::{Contestant, Guard},
    figures::{Claim, Row, Series, ratio},
};

/// The events of an image: four blobs and a manifest.
const EVENTS: usize = 5;

/// How long the last event of a turn may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What wharf with an endpoint may cost, of what it costs without.
const BOUND: f64 = 1.05;

pub(super) fn notifications(bench: &Bench) -> io::Result<Vec<Row>> {
    bench.clear()?;
    let endpoint = Endpoint::start()?;
    let folder = bench.folder.join("notified-wharf");
    fs::create_dir_all(&folder)?;
    let settings = format!("[[notifications.endpoints]]\nname = \"bench\"\nurl = \"http://{}/\"\n", endpoint.address);
    fs::write(folder.join("registry.toml"), settings)?;
    let servers = [bench.wharf(Guard::Open, "notified")?, bench.wharf(Guard::Open, "silent")?];
    let mut rows = Vec::new();
    let images = bench.scale.images;
    for (what, len, count) in [("small images", SMALL, images), ("images of 4 MiB", 1 << 20, images.min(8))] {
        let series = |note| Series { note, ..Series::new(Contestant::Wharf, "ms") };
        let mut series = [series("with an endpoint"), series("without")];
        for round in 0..bench.scale.rounds as usize {
            for offset in 0..2 {
                let index = (round + offset) % 2;
                let (server, series) = (&servers[index], &mut series[index]);
                let all: Vec<Vec<Image>> = vec![(0..count).map(|_| image(len)).collect()];
                let accepted = endpoint.accepted.load(SeqCst);
                let (before, began) = (server.cpu(), Instant::now());
                each(server, &all, push_image)?;
                let elapsed = began.elapsed();
                if index == 0 {
                    endpoint.wait(accepted + count * EVENTS)?;
                }
                let cpu = server.cpu().saturating_sub(before);
                #[expect(clippy::cast_precision_loss, reason = "a turn has some dozens of images")]
                let count = count as f64;
                series.values.push(elapsed.as_secs_f64() * 1e3 / count);
                series.cpu.push(cpu.as_secs_f64() * 1e6 / count);
            }
        }
        let time = ratio(&series[0].values, &series[1].values);
        let cpu = ratio(&series[0].cpu, &series[1].cpu);
        let row = Row::new(format!("push of {what}, notifications"), series.to_vec());
        let row = row.claim(Claim::at_most(BOUND, "×", " without an endpoint", time));
        rows.push(row.claim(Claim::at_most(BOUND, "×", " without an endpoint, CPU", cpu)));
    }
    Ok(rows)
}

/// Accepts each event, and counts them.
struct Endpoint {
    address: std::net::SocketAddr,
    accepted: Arc<AtomicUsize>,
}

impl Endpoint {
    fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (address, accepted) = (listener.local_addr()?, Arc::new(AtomicUsize::new(0)));
        let counter = Arc::clone(&accepted);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counter = Arc::clone(&counter);
                thread::spawn(move || serve(stream, &counter));
            }
        });
        Ok(Self { address, accepted })
    }

    fn wait(&self, count: usize) -> io::Result<()> {
        let began = Instant::now();
        while self.accepted.load(SeqCst) < count {
            if began.elapsed() > PATIENCE {
                return Err(io::Error::other("events are missing"));
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

/// Answers the requests of a connection, until it ends.
fn serve(stream: TcpStream, accepted: &AtomicUsize) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        reader.read_exact(&mut vec![0; length])?;
        reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
        accepted.fetch_add(1, SeqCst);
    }
}
