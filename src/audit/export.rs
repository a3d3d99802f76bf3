//! The record, entry by entry, to be written somewhere else.

use super::{Audit, Kept};
use crate::store;

impl Audit {
    /// The entries up to number `upto`, the first first, each read when it is asked for. Where one
    /// is missing, it is missing here too, and checking what is written of them finds that.
    pub fn entries(&self, upto: u64) -> impl Iterator<Item = Result<Kept, store::Error>> + '_ {
        (1..=upto).filter_map(|seq| self.link(seq).transpose())
    }
}
