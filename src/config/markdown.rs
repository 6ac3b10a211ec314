//! The table of settings in Markdown.

use std::fmt::Write;

use super::{Kind, Setting, Status, settings};

/// Every setting in Markdown tables: first those that are honoured, then the others. `docs/settings.md` contains this
/// text, and a test checks that it is current.
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
    page.push_str("\n### Other settings of registry:2 and registry:3\n\n| Setting | In wharf |\n|---|---|\n");
    for setting in settings().filter(|setting| setting.kind == Kind::Anything && setting.status != Status::Honoured) {
        let _ = writeln!(page, "| `{}` | {} |", setting.key, cell(&handling(setting.status)));
    }
    page
}

fn meaning(setting: &Setting) -> String {
    match (setting.doc, setting.status) {
        (doc, Status::Honoured) => doc.to_owned(),
        ("", status) => handling(status),
        (doc, Status::NotYet(_)) => format!("{doc} **Not implemented yet.**"),
        (doc, status) => format!("{doc} {}", handling(status)),
    }
}

fn handling(status: Status) -> String {
    match status {
        Status::Honoured => String::new(),
        Status::Ignored(reason) => format!("Accepted, has no effect: {reason}."),
        Status::NotYet(reason) => format!("Not implemented yet: {reason}."),
        Status::Refused(reason) => format!("Refused: {reason}."),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
