//! The sessions of people who log in with a browser.
//!
//! The browser keeps a random token. The server keeps a keyed hash of it, in memory, so a restart ends all sessions. A
//! session has no rights of its own: each request has the rights that its user has at that time. A session ends after
//! eight hours, with a logout, or when the user's line in the password file changes or goes.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use super::{
    Authenticator, BrowserLogin, IdentityToken, IdentityTokens, Refusal,
    principal::Principal,
    secret::{Secret, keyed_fingerprint},
};
use crate::files::FileError;

/// How long a session lasts.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(8 * 60 * 60);
/// How many sessions a user has. With one more, the oldest ends.
const PER_USER: usize = 16;

/// The sessions of a server.
pub struct Sessions {
    authenticator: Arc<Authenticator>,
    key: [u8; 32],
    by_mark: Mutex<HashMap<String, Session>>,
}

struct Session {
    user: String,
    /// The keyed hash of the user's password hash at the login.
    password: String,
    begun: Instant,
}

impl Sessions {
    /// Sessions of the users of `authenticator`.
    #[must_use]
    pub fn new(authenticator: Arc<Authenticator>) -> Self {
        Self { authenticator, key: rand::random(), by_mark: Mutex::default() }
    }

    /// How a person logs in.
    #[must_use]
    pub fn login(&self) -> BrowserLogin {
        self.authenticator.browser_login()
    }

    /// Begins a session with a new token. Wrong passwords count for the same throttle as those of other requests.
    ///
    /// # Errors
    /// [`Refusal`]. In modes without passwords, it is always [`Refusal::Invalid`].
    pub async fn begin(&self, address: IpAddr, user: &str, password: &Secret) -> Result<String, Refusal> {
        // The hash is read first. If the password changes during the check, the session ends with its first request.
        let hash = self.authenticator.hash_of(user);
        self.authenticator.check_password(address, user, password).await?;
        let hash = hash.ok_or(Refusal::Invalid)?;
        let token = hex::encode(rand::random::<[u8; 32]>());
        let session = Session { user: user.to_owned(), password: self.mark("password", &hash), begun: Instant::now() };
        let mut sessions = self.sessions();
        sessions.retain(|_, session| session.begun.elapsed() < SESSION_LIFETIME);
        if sessions.values().filter(|session| session.user == user).count() >= PER_USER {
            let own = sessions.iter().filter(|(_, session)| session.user == user);
            let oldest = own.min_by_key(|(_, session)| session.begun).map(|(mark, _)| mark.clone());
            oldest.map(|mark| sessions.remove(&mark));
        }
        sessions.insert(self.mark("session", &token), session);
        Ok(token)
    }

    /// Ends a session, if it exists.
    pub fn end(&self, token: &str) {
        let mark = self.mark("session", token);
        self.sessions().remove(&mark);
    }

    /// The sender of a request with this session. Without a valid session, it is a sender without credentials.
    #[must_use]
    pub fn principal(&self, token: Option<&str>) -> Principal {
        let user = token.and_then(|token| self.user(token));
        user.map_or_else(|| self.authenticator.nobody(), |user| self.authenticator.user(&user))
    }

    /// The token of the forms of a session, or of pages without a session. It proves that a page of this session made
    /// the form: other sites and other users can't know it.
    #[must_use]
    pub fn form_token(&self, token: Option<&str>) -> String {
        self.mark("form", token.unwrap_or_default())
    }

    /// Whether a form was made by a page of this session.
    #[must_use]
    pub fn is_form_token(&self, token: Option<&str>, form_token: &str) -> bool {
        Secret::new(self.form_token(token)).same_as(form_token.as_bytes())
    }

    /// Whether users can have identity tokens.
    #[must_use]
    pub fn has_identity_tokens(&self) -> bool {
        self.authenticator.identity_tokens().is_some()
    }

    /// The identity tokens of a user, the last used first.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`]: they can't be read.
    pub async fn identity_tokens(&self, user: &str) -> Result<Vec<IdentityToken>, Refusal> {
        let user = user.to_owned();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut listed = self.with_identity_tokens(move |tokens| tokens.list(now)).await?;
        listed.retain(|token| token.user == user);
        Ok(listed)
    }

    /// Revokes an identity token of a user. Nothing happens if the user has no such token.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`]: it can't be removed.
    pub async fn revoke_identity_token(&self, user: &str, id: &str) -> Result<(), Refusal> {
        let (user, id) = (user.to_owned(), id.to_owned());
        self.with_identity_tokens(move |tokens| tokens.revoke_own(&user, &id).map(drop)).await
    }

    /// Does what reads or writes the files of identity tokens.
    async fn with_identity_tokens<T: Default + Send + 'static>(
        &self,
        work: impl FnOnce(IdentityTokens) -> Result<T, FileError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let Some(tokens) = self.authenticator.identity_tokens() else { return Ok(T::default()) };
        match tokio::task::spawn_blocking(move || work(tokens)).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => {
                tracing::error!("identity tokens: {error}");
                Err(Refusal::Unavailable)
            }
            Err(_) => Err(Refusal::Unavailable),
        }
    }

    fn user(&self, token: &str) -> Option<String> {
        let mark = self.mark("session", token);
        let mut sessions = self.sessions();
        let session = sessions.get(&mark)?;
        let hash = self.authenticator.hash_of(&session.user);
        let lasts = session.begun.elapsed() < SESSION_LIFETIME
            && hash.is_some_and(|hash| self.mark("password", &hash) == session.password);
        if lasts {
            return Some(session.user.clone());
        }
        sessions.remove(&mark);
        None
    }

    fn mark(&self, kind: &str, text: &str) -> String {
        keyed_fingerprint(&self.key, &[kind.as_bytes(), text.as_bytes()])
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.by_mark.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions(…)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

    use std::fs;

    use super::*;
    use crate::auth::{AccessRules, Settings, hash_password};

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    struct Site {
        directory: tempfile::TempDir,
        authenticator: Arc<Authenticator>,
        sessions: Sessions,
    }

    impl Site {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let users = directory.path().join("users");
            write(&users, &[("alice", "alice-pw"), ("bob", "bob-pw")]);
            let settings = Settings::Htpasswd { realm: "r".to_owned(), users };
            let authenticator = Arc::new(Authenticator::open(&settings, AccessRules::default()).unwrap());
            Self { directory, sessions: Sessions::new(Arc::clone(&authenticator)), authenticator }
        }

        fn change(&self, users: &[(&str, &str)]) {
            write(&self.directory.path().join("users"), users);
            self.authenticator.reload();
        }

        async fn begin(&self, user: &str) -> String {
            let password = Secret::new(format!("{user}-pw"));
            self.sessions.begin(HERE, user, &password).await.unwrap()
        }

        fn user(&self, token: &str) -> Option<String> {
            self.sessions.principal(Some(token)).user().map(ToOwned::to_owned)
        }
    }

    fn write(path: &std::path::Path, users: &[(&str, &str)]) {
        let lines = users.iter().map(|(user, password)| {
            let hash = hash_password(&Secret::new(*password), 4).unwrap();
            format!("{user}:{hash}\n")
        });
        fs::write(path, lines.collect::<String>()).unwrap();
    }

    #[tokio::test]
    async fn a_session_is_its_users_until_it_is_ended() {
        let site = Site::new();
        let (alice, bob) = (site.begin("alice").await, site.begin("bob").await);
        assert_eq!(site.user(&alice).as_deref(), Some("alice"));
        assert_eq!(site.user(&bob).as_deref(), Some("bob"));
        site.sessions.end(&alice);
        assert_eq!((site.user(&alice), site.user(&bob).as_deref()), (None, Some("bob")));
        for made_up in ["", "0", &"0".repeat(64)] {
            assert_eq!(site.user(made_up), None);
        }
    }

    #[tokio::test]
    async fn a_changed_password_and_a_removed_user_end_sessions() {
        let site = Site::new();
        let (alice, bob) = (site.begin("alice").await, site.begin("bob").await);
        site.change(&[("alice", "other-pw"), ("carol", "carol-pw")]);
        assert_eq!((site.user(&alice), site.user(&bob)), (None, None));
        // Also if the old password comes back.
        site.change(&[("alice", "alice-pw"), ("bob", "bob-pw")]);
        assert_eq!((site.user(&alice), site.user(&bob)), (None, None));
    }

    #[tokio::test]
    async fn a_session_ends_after_its_time_and_a_user_has_few() {
        let site = Site::new();
        let old = site.begin("alice").await;
        let mark = site.sessions.mark("session", &old);
        let Some(begun) = Instant::now().checked_sub(SESSION_LIFETIME) else { return };
        site.sessions.sessions().get_mut(&mark).unwrap().begun = begun;
        assert_eq!(site.user(&old), None);

        let (bob, first) = (site.begin("bob").await, site.begin("alice").await);
        for _ in 1..PER_USER {
            site.begin("alice").await;
        }
        assert_eq!(site.user(&first).as_deref(), Some("alice"));
        let last = site.begin("alice").await;
        assert_eq!((site.user(&first), site.user(&last).as_deref()), (None, Some("alice")));
        assert_eq!(site.user(&bob).as_deref(), Some("bob"));
    }

    #[tokio::test]
    async fn a_form_is_bound_to_its_session() {
        let site = Site::new();
        let (one, other) = (site.begin("alice").await, site.begin("alice").await);
        let token = site.sessions.form_token(Some(&one));
        assert!(site.sessions.is_form_token(Some(&one), &token));
        assert!(!site.sessions.is_form_token(Some(&other), &token));
        assert!(!site.sessions.is_form_token(None, &token));
        assert!(!site.sessions.is_form_token(Some(&one), ""));
        assert!(site.sessions.is_form_token(None, &site.sessions.form_token(None)));
    }

    #[tokio::test]
    async fn nobody_logs_in_where_passwords_are_not_asked_for() {
        let sessions = Sessions::new(Arc::new(Authenticator::open_to_everybody()));
        assert_eq!(sessions.login(), BrowserLogin::Unneeded);
        assert_eq!(sessions.begin(HERE, "alice", &Secret::new("alice-pw")).await, Err(Refusal::Invalid));
        assert!(sessions.principal(None).is_authenticated());
    }
}
