//! The configuration as the pipeline reaches it: to look at what it names, and to read it again.

use std::fmt;

use async_trait::async_trait;

use crate::{
    config::{Config, Difference, Faults},
    finding::Finding,
};

/// The configuration that is in force, and the file that it was read from.
#[async_trait]
pub trait ConfigSource: fmt::Debug + Send + Sync {
    /// Looks at everything that the configuration names, for `!doctor`. Changes nothing.
    async fn look(&self) -> Vec<Finding>;

    /// Reads the file again and looks at everything that it names. Puts nothing in force.
    async fn propose(&self) -> Result<ConfigProposal, ConfigRejected>;

    /// Finishes what is in hand, and then begins anew with this.
    fn restart_with(&self, with: ConfigProposal);
}

/// A configuration that could be put in force.
#[derive(Debug, Clone)]
pub struct ConfigProposal {
    /// What the file says now.
    pub config: Config,
    /// What is otherwise in it than in the one in force.
    pub differences: Vec<Difference>,
}

/// Why what the file says now cannot be put in force.
#[derive(Debug, Clone)]
pub enum ConfigRejected {
    /// It has faults.
    Faults(Faults),
    /// What it names is not as it must be, though it was with the one in force.
    Findings(Vec<Finding>),
}
