//! Logins by name and password: the file of users, the password checks and the throttle.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Refusal,
    password_checks::{PasswordChecks, Verdict},
    secret::Secret,
    throttle::Throttle,
    users::Users,
};
use crate::files::{self, Content, FileError, Poll, Snapshot, Watched};

/// The users, and their attempts to log in.
pub(super) struct Login {
    path: PathBuf,
    users: Arc<Watched<Users>>,
    passwords: PasswordChecks,
    throttle: Throttle,
}

impl Login {
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        // Where the file is missing at the start, nobody can log in until it appears.
        let recover = |error: FileError| {
            if !error.is_missing() {
                return Err(error);
            }
            tracing::error!("{error}, so nobody can log in until it appears");
            Ok(Users::default())
        };
        let users = Watched::open_or_else(vec![(path.to_owned(), Content::Credentials)], read_users, recover)?;
        let users = Arc::new(users);
        Ok(Self { path: path.to_owned(), users, passwords: PasswordChecks::new(), throttle: Throttle::new() })
    }

    /// Checks the password of a user.
    pub(super) async fn check(&self, address: IpAddr, user: &str, password: &Secret) -> Result<(), Refusal> {
        self.admit(address, user)?;
        // Test harnesses start a registry, copy the file of users into its container, and log in at once.
        if self.users().names().next().is_none() {
            let users = Arc::clone(&self.users);
            files::settle(move || users.poll()).await;
        }
        let version = self.users.current();
        let admitted = || self.admit(address, user).is_ok();
        match self.passwords.check(&version.value, version.generation, user, password, admitted).await {
            Ok(Verdict::Right) => Ok(()),
            Ok(Verdict::Wrong) => {
                self.failed(address, user, password);
                Err(Refusal::Invalid)
            }
            Err(_) => self.admit(address, user).and(Err(Refusal::Unavailable)),
        }
    }

    /// Refuses an attempt that comes too soon after failed ones.
    pub(super) fn admit(&self, address: IpAddr, user: &str) -> Result<(), Refusal> {
        let wait = self.throttle.wait(address, user, Instant::now());
        wait.map_or(Ok(()), |wait| Err(Refusal::Throttled { retry_after: rounded_up(wait) }))
    }

    /// Counts a failed attempt.
    pub(super) fn failed(&self, address: IpAddr, user: &str, secret: &Secret) {
        tracing::info!(user, %address, "wrong credentials");
        self.throttle.failed(address, user, self.passwords.pair(user, secret), Instant::now());
    }

    /// The number of the current version of the file.
    pub(super) fn generation(&self) -> u64 {
        self.users.current().generation
    }

    /// How many users there are, in words; `None` if the file is missing.
    pub(super) fn count(&self) -> Option<String> {
        self.path.exists().then(|| format!("{} has {} users", self.path.display(), self.users().names().count()))
    }

    /// The current users.
    pub(super) fn users(&self) -> Arc<Users> {
        Arc::clone(&self.users.current().value)
    }

    pub(super) fn poll(&self) -> Poll {
        self.users.poll()
    }

    pub(super) fn reload(&self) {
        self.users.reload();
    }
}

fn rounded_up(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

fn read_users(files: &[Snapshot]) -> Result<Users, FileError> {
    let file = &files[0];
    let users = Users::parse(file.bytes()?).map_err(|error| file.error(&error))?;
    for warning in users.warnings() {
        tracing::warn!("{}, {warning}", file.path().display());
    }
    Ok(users)
}
