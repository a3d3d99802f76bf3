//! When the bot tells of a wave of new accounts by itself.

use std::{ops::RangeInclusive, time::Duration};

use super::{
    read::within,
    section::{Reported, Section},
    value,
};

/// Five accounts are the smallest group, and of so many it is still seen whether they have doubled.
const ACCOUNTS: RangeInclusive<usize> = 5..=500;

/// From when on new accounts are told as a wave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaveThreshold {
    /// So many accounts.
    pub accounts: usize,
    /// Created in this time.
    pub within: Duration,
}

/// Reads the section; `None` where waves are not told.
pub(super) fn read(section: &Section<'_>) -> Result<Option<WaveThreshold>, Reported> {
    let field = section.field("tell_above", "{ accounts: 20, within: 1h }");
    if !field.is_named() {
        return Ok(None);
    }
    within(field.section(), |section| {
        let count = section.field("accounts", "20");
        let accounts = count.required(|field, text| value::count(field, text, ACCOUNTS));
        let time = section.field("within", "1h").required(value::duration);
        Ok(Some(WaveThreshold { accounts: accounts?, within: time? }))
    })
}
