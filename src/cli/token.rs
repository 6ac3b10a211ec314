//! `wharf token`: the claims of a token, identity tokens and the signing key.

use std::{
    io::{self, BufRead},
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use clap::{Args, Subcommand};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{CommandResult, FileArguments, output};
use crate::{
    auth::{self, IdentityToken, IdentityTokens, KeySource, Settings},
    config::{BuiltInIssuer, Listen, Mode, Store, Token},
    server::authentication,
};

/// Inspect tokens, list and revoke identity tokens, replace the signing key.
#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Print the header and claims of a token, and whether it is accepted: exit code 0 if it is, else 1
    Inspect(Inspect),
    /// List the identity tokens that `docker login` received
    List(ByConfig),
    /// Revoke identity tokens
    Revoke(Revoke),
    /// Make a new signing key; tokens signed with the old one stay valid until they expire
    Rotate(ByConfig),
}

/// The token to inspect.
#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// The token; read from standard input if it is left out
    token: Option<String>,
    #[command(flatten)]
    settings: ByConfig,
}

/// The identity tokens to revoke.
#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// The id of one token, as `wharf token list` prints it
    #[arg(required_unless_present = "user", conflicts_with = "user")]
    id: Option<String>,
    /// The user whose tokens are all revoked
    #[arg(long)]
    user: Option<String>,
    #[command(flatten)]
    settings: ByConfig,
}

/// The choice of the settings file for commands whose positional argument is something else.
#[derive(Debug, Args)]
pub(super) struct ByConfig {
    /// The settings file
    #[arg(long, value_name = "FILE")]
    config: Option<std::path::PathBuf>,
}

impl TokenCommand {
    pub(super) fn run(self) -> CommandResult {
        match self {
            Self::Inspect(inspect) => inspect.run(),
            Self::List(config) => list(&config),
            Self::Revoke(revoke) => revoke.run(),
            Self::Rotate(config) => rotate(&config),
        }
    }
}

impl ByConfig {
    fn settings(&self) -> Result<Settings, Box<dyn std::error::Error>> {
        let files = FileArguments { file: None, config: self.config.clone() };
        let loaded = files.sources().load()?;
        let in_store = matches!(&loaded.config.auth.mode, Mode::Token(Token::BuiltIn(BuiltInIssuer { key: None, .. })));
        if in_store && loaded.config.storage.store == Store::Memory {
            return Err("the store, its keys and its tokens are in memory: only the running server knows them".into());
        }
        // Only the name of the server matters here, not the address that clients reach.
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
                    .ok_or("no identity tokens are issued: auth.token.identity_tokens is false")?;
                Ok(IdentityTokens::new(&folder))
            }
            _ => Err("only the built-in issuer of token mode issues identity tokens".into()),
        }
    }
}

impl Inspect {
    fn run(self) -> CommandResult {
        let token = self.token.map_or_else(read_line, Ok)?;
        let token = token.trim().trim_start_matches("Bearer ").trim();
        let text = auth::read_token(token)
            .ok_or("this is not a token: a token is three parts of base64 with dots between them")?;
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
    fn run(self) -> CommandResult {
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

fn list(config: &ByConfig) -> CommandResult {
    let tokens = config.identity_tokens()?.list(now())?;
    Ok(output::answer(&tokens.iter().map(line).collect::<String>()))
}

fn rotate(config: &ByConfig) -> CommandResult {
    match config.settings()? {
        Settings::Builtin(settings) => match settings.key {
            KeySource::Folder(folder) => {
                auth::rotate_keys(&folder, now())?;
                Ok(output::answer("the signing key was replaced; a running server uses the new one within a second\n"))
            }
            KeySource::File(path) => {
                Err(format!("auth.token.key names the key: put a new one before the old one in {}", path.display())
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
