//! The file of the configuration, from which it can be read again.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::{
    check,
    config::{Config, Effect},
    finding::{Finding, Mark},
    pipeline::{self, ConfigProposal, ConfigRejected, ConfigSource},
};

/// The file, and what was last read from it.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    config: Config,
    next: Mutex<Option<Config>>,
    /// Notified when there is another configuration to begin with.
    pub(super) again: Notify,
}

impl File {
    pub(super) fn new(path: &Path, config: &Config) -> Self {
        let (next, again) = (Mutex::default(), Notify::new());
        Self { path: path.to_owned(), config: config.clone(), next, again }
    }

    /// Whether there is a configuration to begin anew with.
    pub(super) fn has_next(&self) -> bool {
        self.next.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// The configuration to begin anew with, if there is one.
    pub(super) fn take(&self) -> Option<Config> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

async fn bad_findings(config: &Config) -> Vec<Finding> {
    let mut findings = check::check(config, &mut |_| {}).await;
    findings.retain(|finding| finding.mark == Mark::Bad);
    findings
}

#[async_trait]
impl ConfigSource for File {
    async fn look(&self) -> Vec<Finding> {
        check::check(&self.config, &mut |_| {}).await
    }

    async fn propose(&self) -> Result<ConfigProposal, ConfigRejected> {
        let config =
            Config::load(&self.path, &pipeline::verbs()).map_err(ConfigRejected::Faults)?;
        let differences = self.config.differences(&config);
        let is_checked = |one: &crate::config::Difference| one.effect != Effect::AtStart;
        if !differences.is_empty() && differences.iter().all(is_checked) {
            let mut bad = bad_findings(&config).await;
            if !bad.is_empty() {
                // What is wrong already is no reason to stay with it.
                let already = bad_findings(&self.config).await;
                bad.retain(|finding| !already.contains(finding));
            }
            if !bad.is_empty() {
                return Err(ConfigRejected::Findings(bad));
            }
        }
        Ok(ConfigProposal { config, differences })
    }

    fn restart_with(&self, with: ConfigProposal) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(with.config);
        self.again.notify_one();
    }
}
