//! `wharf events`: the notifications that wait.

use std::time::{Duration, UNIX_EPOCH};

use clap::{Args, Subcommand};
use indicatif::HumanDuration;
use serde_json::json;

use super::{CommandResult, FileArguments, maintenance, output};
use crate::{
    notify::{EndpointStatus, EventsAction, EventsReport, EventsRequest, answer_at_rest},
    server::control_socket::Request,
};

/// Show what waits for each endpoint of notifications, give it up, or send it now.
#[derive(Debug, Args)]
pub(super) struct Events {
    #[command(subcommand)]
    command: Option<EventsCommand>,
    #[command(flatten)]
    arguments: EventsArguments,
}

#[derive(Debug, Subcommand)]
enum EventsCommand {
    /// Give up what waits: the endpoint never gets it
    Drop(EventsArguments),
    /// Send what waits now, without the wait after attempts that failed
    Retry(EventsArguments),
}

#[derive(Debug, Args)]
struct EventsArguments {
    /// Only this endpoint
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    file: FileArguments,
}

impl EventsArguments {
    /// These, and for those that are missing the ones that stand before the subcommand.
    fn or(self, before: Self) -> Self {
        Self {
            endpoint: self.endpoint.or(before.endpoint),
            json: self.json || before.json,
            file: if self.file.is_given() { self.file } else { before.file },
        }
    }
}

impl Events {
    /// Exit code 0 if it was done.
    pub(super) fn run(self) -> CommandResult {
        let (action, arguments) = match self.command {
            None => (EventsAction::List, self.arguments),
            Some(EventsCommand::Drop(arguments)) => (EventsAction::Drop, arguments.or(self.arguments)),
            Some(EventsCommand::Retry(arguments)) => (EventsAction::Retry, arguments.or(self.arguments)),
        };
        let config = arguments.file.sources().load()?.config;
        let asked = EventsRequest { action, endpoint: arguments.endpoint };
        let request = Request::Events(asked.clone());
        let report: EventsReport = maintenance::work(
            &config,
            &request,
            |()| {},
            |registry, _| async move { answer_at_rest(&registry, &asked).await },
        )?;
        let text = if arguments.json { json!(report).to_string() } else { text(&report, action) };
        Ok(output::answer(&format!("{text}\n")))
    }
}

fn text(report: &EventsReport, action: EventsAction) -> String {
    if report.endpoints.is_empty() {
        return "there is no endpoint (notifications.endpoints)".to_owned();
    }
    report.endpoints.iter().map(|endpoint| line(endpoint, action)).collect::<Vec<_>>().join("\n")
}

fn line(endpoint: &EndpointStatus, action: EventsAction) -> String {
    let EndpointStatus { name, waiting, oldest, last_error, dropped } = endpoint;
    let given_up = if action == EventsAction::Drop { format!("{dropped} given up, ") } else { String::new() };
    let since = oldest.map(|since| format!(", the oldest for {}", HumanDuration(age(since)))).unwrap_or_default();
    let error = last_error.as_ref().map(|error| format!("; last error: {error}")).unwrap_or_default();
    format!("{name}: {given_up}{waiting} waiting{since}{error}")
}

/// How long ago a time is, in seconds since 1970.
fn age(since: u64) -> Duration {
    let since = UNIX_EPOCH + Duration::from_secs(since);
    since.elapsed().unwrap_or_default()
}
