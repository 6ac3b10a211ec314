//! `[ui]`: the page for people with a browser.

use super::values::Values;
use super::{Kind, Setting};

/// The page for people with a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ui {
    /// `ui.enabled`.
    pub enabled: bool,
}

pub(super) const SETTINGS: &[Setting] = &[Setting::new(
    "ui.enabled",
    Kind::Flag,
    "false",
    "Serve a page for browsers under `/ui/`: repositories, tags, images, deletes. It needs the same rights as the API.",
)];

pub(super) fn read(values: &mut Values) -> Ui {
    Ui { enabled: values.flag("ui.enabled") }
}
