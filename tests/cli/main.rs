//! The commands, as a shell sees them: what they print, and their exit codes.

mod config_check;
mod config_show;
mod healthcheck;
mod htpasswd;
mod usage;
mod wharf;
