//! The table of settings as a page of documentation.

use std::fmt::Write;

use super::{Kind, Setting, Status, settings};

/// Every setting in Markdown tables: those that are honoured, then what becomes of the others. `docs/settings.md` holds this
/// text, and a test sees to it that it is current.
#[must_use]
pub fn reference() -> String {
    let mut page = String::new();
    let mut section = "";
    for setting in settings().filter(|setting| setting.kind != Kind::Anything) {
        let table = setting.key.split('.').next().unwrap_or_default();
        if table != section {
            section = table;
            let _ = write!(page, "\n### {table}\n\n| Setting | Value | Default | Meaning |\n|---|---|---|---|\n");
        }
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            setting.key,
            cell(&setting.kind.name()),
            if setting.default.is_empty() { String::new() } else { format!("`{}`", setting.default) },
            cell(&meaning(setting))
        );
    }
    page.push_str("\n### What else registry:2 and registry:3 have\n\n| Setting | Here |\n|---|---|\n");
    for setting in settings().filter(|setting| setting.kind == Kind::Anything && setting.status != Status::Honoured) {
        let _ = writeln!(page, "| `{}` | {} |", setting.key, cell(&fate(setting.status)));
    }
    page
}

fn meaning(setting: &Setting) -> String {
    match (setting.doc, setting.status) {
        (doc, Status::Honoured) => doc.to_owned(),
        ("", status) => fate(status),
        (doc, Status::NotYet(_)) => format!("{doc} **Not there yet.**"),
        (doc, status) => format!("{doc} {}", fate(status)),
    }
}

fn fate(status: Status) -> String {
    match status {
        Status::Honoured => String::new(),
        Status::Ignored(reason) => format!("Accepted, changes nothing: {reason}."),
        Status::NotYet(reason) => format!("Not there yet: {reason}."),
        Status::Refused(reason) => format!("Refused: {reason}."),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
