//! Whether many accounts are new, by one row of the homeserver's list: when the one was created that is so
//! many places from its newest end.

use jiff::Timestamp;
use serde::Deserialize as _;

use super::{
    newest::newest_first,
    page::{self, Row},
};
use crate::{error::Stop, synapse::Reader};

/// What the row tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NthNewest {
    /// When it was created; `None` where there are fewer accounts, or nobody knows.
    pub(crate) created: Option<Timestamp>,
    /// How many accounts there are in all.
    pub(crate) accounts: u64,
}

/// Asks for the row of the `nth` newest account, the newest being the first
/// (`GET /_synapse/admin/v2/users`). Deactivated ones are no row of it.
pub(crate) async fn nth_newest(nth: usize, reader: &Reader) -> Result<NthNewest, Stop> {
    let from = nth.saturating_sub(1).to_string();
    let page = page::fetch(reader, "v2", &newest_first(), Some(&from), 1).await?;
    let row = page.rows.first().and_then(|row| Row::deserialize(row).ok());
    let created = row.and_then(|row| row.created()).map(|dated| dated.at);
    Ok(NthNewest { created, accounts: page.total.unwrap_or_default() })
}
