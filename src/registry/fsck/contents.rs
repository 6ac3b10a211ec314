//! All content against its digest.

use super::{
    FsckError, Inspector, Phase,
    repositories::{LOOK, unseen},
};
use crate::{
    oci::{Algorithm, Digest},
    registry::layout,
    storage::{Child, StorageError},
};

const PUSH_AGAIN: &str = "set aside, and never served: push it again, and look at the disk";

/// A bucket is only changed while no node serves it.
const NOT_SET_ASIDE: &str = "push it again; --repair sets it aside, so that it is never served";

impl Inspector {
    /// Reads every blob and every manifest.
    pub(super) async fn check_contents(&mut self) -> Result<(), FsckError> {
        const PARTS: usize = 512;
        let mut done = 0;
        for algorithm in Algorithm::ALL {
            let prefix = layout::contents(algorithm);
            for part in self.registry.storage().children(&prefix).await? {
                self.account.progress(Phase::Contents, done.min(PARTS), PARTS);
                done += 1;
                for child in self.registry.storage().children(&prefix.join(&part.name)).await? {
                    self.go_on()?;
                    self.check_child(algorithm, &part.name, &child).await?;
                }
            }
        }
        self.check_damaged().await
    }

    async fn check_child(&mut self, algorithm: Algorithm, part: &str, child: &Child) -> Result<(), FsckError> {
        let digest: Option<Digest> = format!("{algorithm}:{}", child.name).parse().ok();
        if let Some(digest) = digest.filter(|digest| child.is_prefix && digest.hex().starts_with(part)) {
            self.check_content(&digest).await
        } else {
            let place = layout::contents(algorithm).join(part).join(&child.name);
            self.account.note(place, "is no blob, and nobody's").await;
            Ok(())
        }
    }

    async fn check_content(&mut self, digest: &Digest) -> Result<(), FsckError> {
        let stat = match self.registry.storage().stat(&layout::data(digest)).await {
            Ok(Some(stat)) => stat,
            Ok(None) => return Ok(()),
            Err(error) => {
                self.account.problem(digest, unseen(&error), LOOK).await;
                return Ok(());
            }
        };
        let mut judged = self.registry.rehash(digest, &mut self.pace).await;
        if matches!(judged, Ok(false)) && self.registry.storage().stat(&layout::data(digest)).await?.is_some() {
            // It was pushed again while it was read, or can't be set aside: what is there now counts.
            judged = self.registry.rehash(digest, &mut self.pace).await;
        }
        match judged {
            Ok(true) => {}
            // Gone meanwhile, and nothing was set aside.
            Ok(false) if !self.is_damaged(digest).await? && !self.registry.is_read_only() => return Ok(()),
            Ok(false) => {
                let is_aside = self.registry.storage().is_alone();
                let todo = if is_aside { PUSH_AGAIN } else { NOT_SET_ASIDE };
                self.account.problem(digest, "is not what its digest says", todo).await;
            }
            Err(StorageError::Read { source }) => {
                let what = format!("can't be read: {source}");
                self.account.problem(digest, what, "look at the disk").await;
            }
            Err(error) => return Err(error.into()),
        }
        self.account.figures.contents += 1;
        self.account.figures.bytes += stat.len;
        Ok(())
    }

    async fn is_damaged(&self, digest: &Digest) -> Result<bool, StorageError> {
        Ok(self.registry.storage().stat(&layout::damaged(digest)).await?.is_some())
    }

    /// The content that was set aside, now or earlier, and has been pushed again.
    async fn check_damaged(&mut self) -> Result<(), FsckError> {
        for algorithm in Algorithm::ALL {
            for child in self.registry.storage().children(&layout::all_damaged(algorithm)).await? {
                let Ok(digest) = format!("{algorithm}:{}", child.name).parse::<Digest>() else { continue };
                if self.registry.storage().stat(&layout::data(&digest)).await?.is_none() {
                    continue;
                }
                let what = "was damaged and has been pushed again; what was set aside is kept";
                if self.inspection.repair && self.registry.storage().delete(&layout::damaged(&digest)).await? {
                    self.account.mended(digest, what, "removed what was set aside").await;
                } else {
                    self.account.note(digest, what).await;
                }
            }
        }
        Ok(())
    }
}
