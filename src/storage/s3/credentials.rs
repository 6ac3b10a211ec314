//! Credentials that do not stand in the settings: those of the environment, then those of the file of the AWS tools.

use std::{env, fs, path::PathBuf};

use super::{
    super::{Result, StorageError},
    settings::Credentials,
};

/// The variables of the environment that name other sources, which are not implemented.
const ROLES: [&str; 3] =
    ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];

/// Finds credentials.
///
/// # Errors
/// [`StorageError::Open`] if there are none.
pub(super) fn find() -> Result<Credentials> {
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(credentials) = from(|name| variable(&name.to_uppercase())) {
        return Ok(credentials);
    }
    let path = variable("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from);
    let path = path.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".aws/credentials")));
    let profile = variable("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
    let text = path.and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    if let Some(credentials) = from(|name| in_profile(&text, &profile, name)) {
        return Ok(credentials);
    }
    let role = ROLES.iter().find(|name| variable(name).is_some());
    let role = role.map_or_else(String::new, |name| format!(" ({name} is set; wharf can't take a role yet)"));
    Err(StorageError::Open(format!(
        "there are no credentials for the bucket{role}: set storage.s3.accesskey and storage.s3.secretkey, or \
         AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file with AWS_SHARED_CREDENTIALS_FILE"
    )))
}

fn from(value: impl Fn(&str) -> Option<String>) -> Option<Credentials> {
    let (access_key, secret_key) = (value("aws_access_key_id")?, value("aws_secret_access_key")?);
    Some(Credentials { access_key, secret_key, session_token: value("aws_session_token") })
}

/// A value in a section of the file.
fn in_profile(text: &str, profile: &str, name: &str) -> Option<String> {
    let header = format!("[{profile}]");
    let lines = text.lines().map(str::trim).skip_while(|line| *line != header).skip(1);
    lines.take_while(|line| !line.starts_with('[')).find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim().eq_ignore_ascii_case(name)).then(|| value.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_has_its_own_values() {
        let text = "[default]\naws_access_key_id = a\naws_secret_access_key=b\n\n[other]\n\
                    aws_access_key_id=c\naws_secret_access_key = d=\naws_session_token=e\n";
        let profile = |profile| {
            let found = from(|name| in_profile(text, profile, name))?;
            Some((found.access_key, found.secret_key, found.session_token))
        };
        let text = str::to_owned;
        assert_eq!(profile("default"), Some((text("a"), text("b"), None)));
        assert_eq!(profile("other"), Some((text("c"), text("d="), Some(text("e")))));
        assert_eq!(profile("none"), None);
    }
}
