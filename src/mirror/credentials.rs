//! The credentials for an upstream.

use std::{fmt, path::PathBuf, process::Stdio, sync::Mutex, time::Duration};

use serde::Deserialize;
use tokio::{io::AsyncWriteExt as _, process::Command, time, time::Instant};

/// How long a program may take that gives credentials.
const PROGRAM_TIME: Duration = Duration::from_secs(10);

/// The credentials for an upstream.
#[derive(Default)]
pub enum Credentials {
    /// There are none.
    #[default]
    None,
    /// A name and a password.
    Password {
        /// The name.
        username: String,
        /// The password.
        password: String,
    },
    /// A password in a file, which is read at each use.
    File {
        /// The name.
        username: String,
        /// The file.
        path: PathBuf,
    },
    /// A program that speaks the protocol of docker's credential helpers: its argument is `get`, the host comes on its
    /// standard input, and it prints JSON.
    Program {
        /// The program.
        command: PathBuf,
        /// For how long its answer is used; `None`: for ever.
        lifetime: Option<Duration>,
        /// Its last answer.
        last: Mutex<Option<(Instant, Pair)>>,
    },
}

/// A name and a password.
#[derive(Clone)]
pub struct Pair {
    pub(super) username: String,
    pub(super) password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_none() { "None" } else { "Credentials(…)" })
    }
}

#[derive(Deserialize)]
struct ProgramAnswer {
    #[serde(rename = "Username")]
    username: String,
    #[serde(rename = "Secret")]
    secret: String,
}

impl Credentials {
    /// Whether there are none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The name and the password for `host`; `None` if there are none.
    ///
    /// # Errors
    /// Why they can't be had.
    pub(super) async fn get(&self, host: &str) -> Result<Option<Pair>, String> {
        let found = match self {
            Self::None => return Ok(None),
            Self::Password { username, password } => {
                Ok(Pair { username: username.clone(), password: password.clone() })
            }
            Self::File { username, path } => tokio::fs::read_to_string(path)
                .await
                .map(|text| Pair { username: username.clone(), password: text.trim_end().to_owned() })
                .map_err(|error| format!("{}: {error}", path.display())),
            Self::Program { command, lifetime, last } => {
                let stored = last.lock().ok().and_then(|last| last.clone());
                match stored.filter(|(at, _)| lifetime.is_none_or(|lifetime| at.elapsed() < lifetime)) {
                    Some((_, pair)) => Ok(pair),
                    None => run(command, host).await.inspect(|pair| {
                        if let Ok(mut last) = last.lock() {
                            *last = Some((Instant::now(), pair.clone()));
                        }
                    }),
                }
            }
        };
        found.map(Some)
    }
}

async fn run(command: &PathBuf, host: &str) -> Result<Pair, String> {
    let told = |problem: &dyn fmt::Display| format!("{}: {problem}", command.display());
    let work = async {
        let mut child = Command::new(command)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| told(&error))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read its input is no failure.
            let _ = stdin.write_all(host.as_bytes()).await;
        }
        let output = child.wait_with_output().await.map_err(|error| told(&error))?;
        if !output.status.success() {
            return Err(told(&format_args!("it ended with {}", output.status)));
        }
        serde_json::from_slice::<ProgramAnswer>(&output.stdout).map_err(|_| told(&"it printed no credentials in JSON"))
    };
    let answer = time::timeout(PROGRAM_TIME, work).await.map_err(|_| told(&"it takes too long"))??;
    Ok(Pair { username: answer.username, password: answer.secret })
}
