//! Images and users of a registry that lives as long as a test: from the command line and the environment.

use std::{collections::HashSet, env, error::Error};

use clap::Args;

use crate::{
    archive::{Archive, ArchiveError},
    auth::{Secret, password_line},
    config::Sources,
    files::MemoryFile,
};

/// The variable with users, each `NAME:PASSWORD`, separated by white space.
const VARIABLE: &str = "WHARF_USERS";

/// The bcrypt cost: the least that makes no warning. The hashes live as long as the process.
const COST: u32 = 10;

/// What a registry starts with.
#[derive(Args)]
pub(super) struct Throwaway {
    /// Load images before the first answer: the directory of an OCI layout, or a tar archive of one or of `docker save`.
    /// The repository replaces the names in the archive; can be given more than once
    #[arg(long, value_name = "[oci:]PATH[=REPOSITORY]")]
    load: Vec<String>,
    /// Let in this user, and nobody without a password; can be given more than once. `WHARF_USERS="NAME:PASSWORD ..."`
    /// does the same and hides the passwords from other users of the machine. For tests: the password is in the command
    /// line
    #[arg(long, value_name = "NAME:PASSWORD")]
    user: Vec<String>,
}

impl std::fmt::Debug for Throwaway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Throwaway").field("load", &self.load).finish_non_exhaustive()
    }
}

impl Throwaway {
    /// The images, checked.
    pub(super) fn archives(&self) -> Result<Vec<Archive>, ArchiveError> {
        self.load.iter().map(|argument| Archive::open(argument)).collect()
    }

    /// Puts the users in the place of those of the settings. Their hashes are in memory as long as the value lives.
    pub(super) fn users(&self, sources: &mut Sources) -> Result<Option<MemoryFile>, Box<dyn Error>> {
        let variable = env::var_os(VARIABLE).map(|value| value.into_string().map_err(|_| "WHARF_USERS is not UTF-8"));
        let variable = variable.transpose()?;
        let named = variable.iter().flat_map(|text| text.split_whitespace()).map(|user| (VARIABLE, user));
        let users: Vec<_> = self.user.iter().map(|user| ("--user", user.as_str())).chain(named).collect();
        if users.is_empty() {
            // Without users, the registry would be open.
            return if variable.is_some() {
                Err("WHARF_USERS names nobody: write NAME:PASSWORD".into())
            } else {
                Ok(None)
            };
        }
        let (mut file, mut names) = (String::new(), HashSet::new());
        for (source, user) in users {
            let (name, password) = user.split_once(':').ok_or(format!("{source}: a user is NAME:PASSWORD"))?;
            if !names.insert(name) {
                return Err(format!("{source}: the user {name} is named twice").into());
            }
            let line = password_line(name, &Secret::new(password), COST);
            file.push_str(&line.map_err(|error| format!("{source}: {error}"))?);
            file.push('\n');
        }
        let file = MemoryFile::new("users", file.as_bytes())?;
        sources.flags.push(("--user", "auth.mode", "htpasswd".to_owned()));
        sources.flags.push(("--user", "auth.htpasswd.path", file.path()));
        Ok(Some(file))
    }
}
