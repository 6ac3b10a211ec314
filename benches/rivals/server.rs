//! A server that runs.

use std::{
    cell::Cell,
    fs::{self, File},
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Stdio},
    rc::Rc,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    client::{Body, Client},
    contestant::{Contestant, Guard},
    process::{self, Memory},
    rows::Bench,
};

/// How long a start or an end may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server, until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) contestant: Contestant,
    pub(crate) guard: Guard,
    pub(crate) address: SocketAddr,
    /// What is its own: its store and its settings.
    pub(crate) folder: PathBuf,
    child: Child,
    peak: Rc<Cell<u64>>,
}

impl Server {
    /// Starts it on a store of its own, `name`, and waits until it can be connected to. `None` if it is not installed.
    pub(crate) fn start(bench: &Bench, contestant: Contestant, guard: Guard, name: &str) -> io::Result<Option<Self>> {
        let Some(program) = bench.program(contestant) else { return Ok(None) };
        let folder = bench.folder.join(format!("{name}-{}", contestant.name().replace(':', "")));
        fs::create_dir_all(folder.join("store"))?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let log = File::create(folder.join("log"))?;
        let mut command = contestant.command(bench, &program, &folder, port, guard)?;
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let peak = if contestant == Contestant::Wharf { Rc::clone(&bench.peak) } else { Rc::default() };
        let mut server = Self { contestant, guard, address, folder, child, peak };
        server.wait()?;
        Ok(Some(server))
    }

    fn wait(&mut self) -> io::Result<()> {
        let began = Instant::now();
        while Client::connect(self.address).is_err() {
            if self.child.try_wait()?.is_some() || began.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                return Err(io::Error::other(format!("{} does not start:\n{log}", self.contestant.name())));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// A client that is let in.
    pub(crate) fn client(&self) -> io::Result<Client> {
        let mut client = Client::connect(self.address)?;
        client.authorization = self.authorization()?;
        Ok(client)
    }

    /// What a client has to say to be let in. For a token, the issuer is asked.
    pub(crate) fn authorization(&self) -> io::Result<Option<String>> {
        let basic = format!("Basic {}", super::rows::passwords::credentials());
        match self.guard {
            Guard::Open | Guard::Tls => Ok(None),
            Guard::Htpasswd => Ok(Some(basic)),
            Guard::Token => {
                let mut client = Client::connect(self.address)?;
                client.authorization = Some(basic);
                let target = "/token?service=localhost&scope=repository:bench/image:pull,push";
                let response = client.exchange("GET", target, Body::Nothing)?;
                let answer: serde_json::Value = serde_json::from_slice(&response.body)?;
                let token = answer["token"].as_str().ok_or_else(|| io::Error::other(format!("no token: {answer}")))?;
                Ok(Some(format!("Bearer {token}")))
            }
        }
    }

    pub(crate) fn cpu(&self) -> Duration {
        process::cpu(self.child.id())
    }

    pub(crate) fn memory(&self) -> Memory {
        process::memory(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.peak.set(self.peak.get().max(self.memory().highest));
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let began = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if began.elapsed() > PATIENCE {
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
