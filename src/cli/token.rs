//! `wharf token`: what a token says; identity tokens; the signing key.

use std::{
    io::{self, BufRead},
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use clap::{Args, Subcommand};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{FileArguments, output};
use crate::{
    auth::{self, IdentityToken, IdentityTokens, KeySource, Settings},
    config::{Issuer, Listen, Mode, Store, Token},
    server::authentication,
};

/// Look at tokens, revoke identity tokens, change the signing key.
#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Print what a token says, and whether it would be accepted: exit code 0 if it would, else 1
    Inspect(Inspect),
    /// List the identity tokens that `docker login` was given
    List(ByConfig),
    /// Revoke identity tokens
    Revoke(Revoke),
    /// Make a new signing key; tokens of the old one hold until they expire
    Rotate(ByConfig),
}

/// Which token.
#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// The token; read from standard input where it is left out
    token: Option<String>,
    #[command(flatten)]
    settings: ByConfig,
}

/// Which identity tokens.
#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// Its id, as `wharf token list` prints it
    #[arg(required_unless_present = "user", conflicts_with = "user")]
    id: Option<String>,
    /// All of this user
    #[arg(long)]
    user: Option<String>,
    #[command(flatten)]
    settings: ByConfig,
}

/// Which settings file, where another argument has its place.
#[derive(Debug, Args)]
pub(super) struct ByConfig {
    /// The settings file
    #[arg(long, value_name = "FILE")]
    config: Option<std::path::PathBuf>,
}

type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

impl TokenCommand {
    pub(super) fn run(self) -> ExitCode {
        let outcome = match self {
            Self::Inspect(inspect) => inspect.run(),
            Self::List(config) => list(&config),
            Self::Revoke(revoke) => revoke.run(),
            Self::Rotate(config) => rotate(&config),
        };
        outcome.unwrap_or_else(|error| {
            output::complain(&error);
            ExitCode::FAILURE
        })
    }
}

impl ByConfig {
    fn settings(&self) -> Result<Settings, Box<dyn std::error::Error>> {
        let files = FileArguments { file: None, config: self.config.clone() };
        let loaded = files.sources().load().map_err(|errors| errors.to_string())?;
        let in_store =
            matches!(&loaded.config.auth.mode, Mode::Token(Token { issued_by: Issuer::BuiltIn { key: None, .. }, .. }));
        if in_store && loaded.config.storage.store == Store::Memory {
            return Err(
                "the store is in memory, and its keys and tokens with it: only the running server knows them".into()
            );
        }
        // What the server is called matters here, not where it can be reached from.
        let port = match &loaded.config.http.listen {
            Listen::Tcp(addresses) => addresses.first().map_or(0, |address| address.port),
            Listen::Unix(_) => 0,
        };
        Ok(authentication::settings(&loaded.config, &[SocketAddr::from((Ipv4Addr::LOCALHOST, port))])?)
    }

    fn identity_tokens(&self) -> Result<IdentityTokens, Box<dyn std::error::Error>> {
        match self.settings()? {
            Settings::Builtin(settings) => {
                let folder = settings
                    .identity_tokens
                    .ok_or("no identity tokens are given out: auth.token.identity_tokens is false")?;
                Ok(IdentityTokens::new(&folder))
            }
            _ => Err("identity tokens are given out in token mode only, by the built-in issuer".into()),
        }
    }
}

impl Inspect {
    fn run(self) -> Outcome {
        let token = self.token.map_or_else(read_line, Ok)?;
        let token = token.trim().trim_start_matches("Bearer ").trim();
        let text =
            auth::read_token(token).ok_or("that is no token: it has not three parts of base64, parted by dots")?;
        let verdict = auth::judge_token(&self.settings.settings()?, token, now())?;
        let verdict_text = match &verdict {
            None => "not accepted: these settings are for a mode without tokens\n".to_owned(),
            Some(Ok(grants)) => format!("accepted\n{grants}"),
            Some(Err(refusal)) => format!("not accepted: {refusal}\n"),
        };
        let code = output::answer(&format!("{:#}\n{:#}\n{verdict_text}", text.header, text.claims));
        Ok(if matches!(verdict, Some(Ok(_))) { code } else { ExitCode::FAILURE })
    }
}

impl Revoke {
    fn run(self) -> Outcome {
        let tokens = self.settings.identity_tokens()?;
        let count = match (&self.id, &self.user) {
            (Some(id), _) => tokens.revoke(id)?,
            (None, Some(user)) => tokens.revoke_user(user)?,
            (None, None) => 0,
        };
        if count == 0 {
            return Err("there is no such identity token (see 'wharf token list')".into());
        }
        Ok(output::answer(&format!("revoked: {count}\n")))
    }
}

fn list(config: &ByConfig) -> Outcome {
    let tokens = config.identity_tokens()?.list(now())?;
    Ok(output::answer(&tokens.iter().map(line).collect::<String>()))
}

fn rotate(config: &ByConfig) -> Outcome {
    match config.settings()? {
        Settings::Builtin(settings) => match settings.key {
            KeySource::Folder(folder) => {
                auth::rotate_keys(&folder, now())?;
                Ok(output::answer("there is a new signing key; a running server signs with it within a second\n"))
            }
            KeySource::File(path) => {
                Err(format!("the key is yours, auth.token.key: put a new one before the old in {}", path.display())
                    .into())
            }
        },
        _ => Err("only the built-in issuer of token mode has a signing key".into()),
    }
}

fn line(token: &IdentityToken) -> String {
    let IdentityToken { id, user, client_id, created, used } = token;
    format!("{id}  {user}  {client_id}  given {}  used {}\n", date(*created), date(*used))
}

fn date(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}

fn read_line() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
