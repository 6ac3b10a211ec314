//! A running server: from a [`Config`] to sockets that answer.
//!
//! ```
//! use wharf::{config::{Address, Config, Listen, Store}, server};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = Config::default();
//! config.storage.store = Store::Memory;
//! config.http.listen = Listen::Tcp(vec![Address::parse("127.0.0.1:0")?]);
//! let registry = server::start(config)?;
//! let answer = std::net::TcpStream::connect(registry.addresses()[0])?;
//! # drop(answer);
//! println!("a registry on port {}, until it is dropped", registry.port());
//! # Ok(())
//! # }
//! ```

pub(crate) mod authentication;
mod client_files;
pub(crate) mod components;
mod config_check;
mod connection;
mod connection_limit;
pub(crate) mod control_socket;
mod health_checks;
mod listen;
mod metrics;
mod notifications;
mod parser_errors;
mod post_length;
#[cfg(test)]
mod routing_tests;
mod startup_log;
pub(crate) mod systemd;
mod tcp_connection;
mod tls;
pub(crate) mod upstreams;

use std::{
    io,
    mem::{Discriminant, discriminant},
    net::SocketAddr,
    sync::{Arc, OnceLock, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use actix_server::ServerHandle;
use actix_web::{rt::System, web};

pub use config_check::{check, try_store};
pub use listen::StartError;
pub use tls::TlsError;

use self::{
    connection_limit::ConnectionLimit, listen::Sockets, metrics::CertificateEnd, tls::TlsConfig, upstreams::NoProxy,
};
use crate::{
    api::Api,
    archive::{self, Archive},
    auth::{Authenticator, InvalidAccess},
    config::{Config, Limits, Mode},
    files::{self, Watched},
    http::{AccessLog, RequestListener, Router, Service},
    mirror::Mirror,
    notify::Notifier,
    ops::{Checks, Debug, MetricSource, Metrics, Ops, Unhealthy},
    registry::{Registry, WeakRegistry},
};

/// How long a stop waits for the threads of the workers.
const WORKERS_END: Duration = Duration::from_secs(5);

/// A registry that answers. It stops when this is dropped. [`Server::stop`] first lets requests in progress end.
#[derive(Debug)]
pub struct Server {
    addresses: Vec<SocketAddr>,
    debug_addresses: Vec<SocketAddr>,
    handle: ServerHandle,
    authenticator: Arc<Authenticator>,
    mode: Discriminant<Mode>,
    /// When the server was told to stop, and whether what is under way may end.
    stopping: Arc<OnceLock<(Instant, bool)>>,
    thread: Option<JoinHandle<()>>,
}

/// Why new rules are not put in force while the server runs. A file that was emptied or cut off never gives more
/// rights.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// A rule is bad.
    #[error(transparent)]
    Access(#[from] InvalidAccess),
    /// The settings are of another mode than the one that runs.
    #[error("the settings now have another auth.mode than the server that runs: restart it, if that is meant")]
    Mode,
    /// There were rules, and there are none.
    #[error(
        "the settings have no [[access]] any more, and without any every user may do everything: restart wharf, if that is meant"
    )]
    NoRules,
}

/// The message of the server's thread to the thread that started it.
struct Started {
    handle: ServerHandle,
    authenticator: Arc<Authenticator>,
    stopping: Arc<OnceLock<(Instant, bool)>>,
}

/// What answers requests, and what has to end after it.
struct Running {
    server: actix_server::Server,
    registry: Registry,
    authenticator: Arc<Authenticator>,
    notifier: Option<Arc<Notifier>>,
    mirror: Option<Arc<Mirror>>,
}

/// Starts a registry, and returns when connections are accepted.
///
/// It has threads of its own, so it can be started from a test, with a runtime or without; the call itself blocks for
/// as long as opening the store takes.
///
/// # Errors
/// [`StartError`], which says what to do: an address is taken, the store can't be opened.
pub fn start(config: Config) -> Result<Server, StartError> {
    start_with(config, Vec::new())
}

/// [`start`], with the images of these archives in the store before anything is answered.
///
/// # Errors
/// As [`start`], and [`StartError::Archive`].
pub fn start_with(config: Config, archives: Vec<Archive>) -> Result<Server, StartError> {
    let sockets = match systemd::sockets()? {
        Some(sockets) => sockets,
        None => listen::bind(&config.http.listen)?,
    };
    let debug = config.http.debug.as_ref().map(|debug| listen::bind_debug(&debug.addresses)).transpose()?;
    let mode = discriminant(&config.auth.mode);
    let addresses = sockets.addresses();
    let debug_addresses = debug.as_ref().map(Sockets::addresses).unwrap_or_default();
    let (report, started) = mpsc::channel();
    let thread = thread::Builder::new()
        .name("wharf".to_owned())
        .spawn(move || serve(&config, sockets, debug, &archives, &report))
        .map_err(StartError::Thread)?;
    let Started { handle, authenticator, stopping } = started.recv().unwrap_or(Err(StartError::Died))?;
    Ok(Server { addresses, debug_addresses, handle, authenticator, mode, stopping, thread: Some(thread) })
}

impl Server {
    /// The addresses that are listened on; none for a Unix socket.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The addresses of the debug listener; none without one.
    #[must_use]
    pub fn debug_addresses(&self) -> &[SocketAddr] {
        &self.debug_addresses
    }

    /// The port that is listened on; 0 for a Unix socket.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.addresses.first().map_or(0, SocketAddr::port)
    }

    /// Puts the rules and groups of `config` in force, and reads users and keys again. Nothing else of `config` is
    /// looked at.
    ///
    /// # Errors
    /// [`ReloadError`]; the rules that were in force stay so.
    pub fn reload(&self, config: &Config) -> Result<(), ReloadError> {
        if discriminant(&config.auth.mode) != self.mode {
            return Err(ReloadError::Mode);
        }
        let access = authentication::access(config)?;
        if access.is_empty() && self.authenticator.has_rules() {
            return Err(ReloadError::NoRules);
        }
        self.authenticator.set_access(access);
        self.authenticator.reload();
        Ok(())
    }

    /// Takes no more connections, lets the requests that are under way end, for as long as `http.draintimeout` says,
    /// and stops.
    pub fn stop(mut self) {
        self.end(true);
    }

    fn end(&mut self, graceful: bool) {
        let _ = self.stopping.set((Instant::now(), graceful));
        // The command is sent when `stop` is called; the thread's end is the answer to it.
        drop(self.handle.stop(graceful));
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the server's thread died");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.end(false);
        }
    }
}

/// The server's thread, to its end.
fn serve(
    config: &Config,
    sockets: Sockets,
    debug: Option<Sockets>,
    archives: &[Archive],
    report: &mpsc::Sender<Result<Started, StartError>>,
) {
    // Workers each have a runtime of their own. This one, which outlives them, is for what must not end with a request.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return drop(report.send(Err(StartError::Thread(error)))),
    };
    let system = System::with_tokio_rt(|| runtime);
    let weak = system.block_on(async move {
        let Running { server, registry, authenticator, notifier, mirror } =
            match run(config, sockets, debug, archives).await {
                Ok(running) => running,
                Err(error) => {
                    drop(report.send(Err(error)));
                    return None;
                }
            };
        // If this fails, the thread that started the server has dropped the handle. The server then stops below.
        let stopping = Arc::new(OnceLock::new());
        let started = Started { handle: server.handle(), authenticator, stopping: Arc::clone(&stopping) };
        let wanted = report.send(Ok(started)).is_ok();
        if wanted && let Err(error) = server.await {
            tracing::error!(%error, "the server ended");
        }
        if let Some(mirror) = mirror {
            mirror.note_uses(&registry).await;
        }
        registry.finish().await;
        if let Some(notifier) = notifier {
            // What requests have left of the time that they have to end.
            let (begun, graceful) = stopping.get().copied().unwrap_or((Instant::now(), false));
            let time = if graceful { config.http.drain_timeout } else { Duration::ZERO };
            notifier.drain(&registry, (begun + time).into()).await;
        }
        Some(registry.downgrade())
    });
    drop(system);
    if let Some(weak) = weak {
        wait_for(&weak);
    }
}

/// The workers' threads end by themselves, soon after the server has. Only then is the store free for another one.
fn wait_for(registry: &WeakRegistry) {
    let begun = Instant::now();
    while !registry.is_gone() && begun.elapsed() < WORKERS_END {
        thread::sleep(Duration::from_millis(1));
    }
}

async fn run(
    config: &Config,
    sockets: Sockets,
    debug: Option<Sockets>,
    archives: &[Archive],
) -> Result<Running, StartError> {
    let tls = config.http.tls.clone().map(tls::open).transpose()?.map(Arc::new);
    let metrics = components::metrics(config);
    let notifier = notifications::notifier(config, &sockets.addresses())?;
    let mirror = upstreams::mirror(config)?;
    let registry = components::registry(config, metrics.as_ref(), notifier.as_ref(), mirror.as_ref()).await?;
    // A command that comes from now on waits until the server is up.
    let control = control_socket::open(config, &registry);
    let authenticator = Arc::new(authentication::open(config, &sockets.addresses())?);
    let checks = Arc::new(health_checks::open(config)?);
    let service = web::Data::new(service(config, &registry, &authenticator, &checks, metrics.as_ref()));
    let peers = ConnectionLimit::new(config.limits.connections_per_address, config.http.trusted_proxies.clone());
    archive::load(archives, &registry).await?;
    startup_log::store(config);
    startup_log::addresses(config, &sockets);
    let debug = debug.map(|sockets| {
        startup_log::debug(&sockets);
        let mut others = others(&authenticator, &peers, tls.as_ref(), notifier.as_ref(), mirror.as_ref());
        others.extend(registry.retention().map(|retention| retention.clone() as _));
        let path = config.http.debug.as_ref().and_then(|debug| debug.metrics.clone());
        let router = Debug::new(path, registry.clone(), metrics.unwrap_or_default(), others, Arc::clone(&checks));
        let routers: Vec<Box<dyn Router>> = vec![Box::new(router)];
        let service =
            Service::new(registry.clone(), Arc::clone(&authenticator), components::http(config), routers, Vec::new());
        (sockets, web::Data::new(service))
    });
    let server = build(config, sockets, &service, tls.as_ref(), &peers, debug).map_err(StartError::Listen)?;
    tokio::spawn(checks.follow(registry.clone()));
    if let Some(tls) = tls {
        tokio::spawn(files::follow(move || tls.poll()));
    }
    tokio::spawn(Arc::clone(&authenticator).watch());
    if let Some(mirror) = &mirror {
        tokio::spawn(Arc::clone(mirror).keep_up(registry.clone()));
    }
    if let Some(control) = control {
        tokio::spawn(control.follow(registry.clone(), notifier.clone()));
    }
    Ok(Running { server, registry, authenticator, notifier, mirror })
}

/// The service that answers requests: one row for each router and each listener.
fn service(
    config: &Config,
    registry: &Registry,
    authenticator: &Arc<Authenticator>,
    checks: &Arc<Checks>,
    metrics: Option<&Arc<Metrics>>,
) -> Service {
    let mut routers: Vec<Box<dyn Router>> = vec![
        Box::new(Ops::new(config.http.prefix.clone(), registry.clone())),
        Box::new(Api::new(components::api(config), Arc::clone(authenticator), registry.clone())),
    ];
    if config.ui.enabled {
        // It comes first, because it answers `/` for browsers.
        routers.insert(0, Box::new(components::page(config, registry, authenticator)));
    }
    if !config.health.is_empty() {
        routers.insert(0, Box::new(Unhealthy(Arc::clone(checks))));
    }
    let mut listeners: Vec<Arc<dyn RequestListener>> =
        metrics.into_iter().map(|metrics| metrics.clone() as _).collect();
    if config.log.access_log {
        listeners.push(Arc::new(AccessLog));
    }
    Service::new(registry.clone(), Arc::clone(authenticator), components::http(config), routers, listeners)
}

/// The sources of metrics beside [`Metrics`]: one row for each part.
fn others(
    authenticator: &Arc<Authenticator>,
    peers: &Arc<ConnectionLimit>,
    tls: Option<&Arc<Watched<TlsConfig>>>,
    notifier: Option<&Arc<Notifier>>,
    mirror: Option<&Arc<Mirror>>,
) -> Vec<Arc<dyn MetricSource>> {
    let mut sources: Vec<Arc<dyn MetricSource>> = vec![authenticator.clone(), peers.clone()];
    sources.push(mirror.map_or_else(|| Arc::new(NoProxy) as _, |mirror| mirror.clone() as _));
    if let Some(tls) = tls {
        sources.push(Arc::new(CertificateEnd(Arc::clone(tls))));
    }
    sources.extend(notifier.map(|notifier| notifier.clone() as _));
    sources
}

fn build(
    config: &Config,
    sockets: Sockets,
    service: &web::Data<Service>,
    tls: Option<&Arc<Watched<TlsConfig>>>,
    peers: &Arc<ConnectionLimit>,
    debug: Option<(Sockets, web::Data<Service>)>,
) -> io::Result<actix_server::Server> {
    let workers = thread::available_parallelism().map_or(2, usize::from);
    let mut server = actix_server::Server::build()
        .workers(workers)
        .max_concurrent_connections(connections(&config.limits, workers))
        .shutdown_timeout(rounded_up(config.http.drain_timeout))
        .disable_signals();
    let shutdown = server.graceful_shutdown_signal();
    for socket in sockets.tcp {
        let (service, shutdown, peers) = (service.clone(), shutdown.clone(), Arc::clone(peers));
        server = match tls.map(Arc::clone) {
            Some(tls) => server.listen("https", socket, move || {
                connection::tls(service.clone(), shutdown.clone(), Arc::clone(&peers), Arc::clone(&tls))
            })?,
            None => server.listen("http", socket, move || {
                connection::plain(service.clone(), shutdown.clone(), Arc::clone(&peers))
            })?,
        };
    }
    for socket in sockets.unix {
        let (service, shutdown) = (service.clone(), shutdown.clone());
        server = server.listen_uds("unix", socket, move || connection::unix(service.clone(), shutdown.clone()))?;
    }
    if let Some((sockets, service)) = debug {
        let peers = ConnectionLimit::new(config.limits.connections_per_address, config.http.trusted_proxies.clone());
        for socket in sockets.tcp {
            let (service, shutdown, peers) = (service.clone(), shutdown.clone(), Arc::clone(&peers));
            server = server.listen("debug", socket, move || {
                connection::plain(service.clone(), shutdown.clone(), Arc::clone(&peers))
            })?;
        }
    }
    Ok(server.run())
}

/// The server's bound is for each worker.
fn connections(limits: &Limits, workers: usize) -> usize {
    limits.connections.div_ceil(workers)
}

/// A part of a second is a second: to no time at all, nothing would be drained.
fn rounded_up(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
