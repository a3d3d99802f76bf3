//! The record as a file of its own.

use super::{Audit, Kept};
use crate::store;

impl Audit {
    /// The entries up to number `upto` that are `wanted`, just as they stand in the file of the
    /// record: one JSON object a line. All of them are in memory at once. Where an entry is
    /// missing, it is missing here too, and checking the lines finds that.
    pub fn lines(
        &self,
        upto: u64,
        wanted: impl Fn(&Kept) -> bool,
    ) -> Result<Vec<u8>, store::Error> {
        let mut lines = Vec::new();
        for seq in 1..=upto {
            if let Some(kept) = self.get(seq)?.filter(&wanted) {
                serde_json::to_writer(&mut lines, &kept)?;
                lines.push(b'\n');
            }
        }
        Ok(lines)
    }
}
