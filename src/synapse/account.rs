//! What nearly every verb looks at: an account and its devices.

use std::fmt;

use jiff::Timestamp;
use ruma::{OwnedDeviceId, OwnedUserId};
use serde::{Deserialize, Serialize};

use super::wire::{flag, known, optional_flag, readable};
use crate::reply::Hostile;

/// An account on this server, as `GET /_synapse/admin/v2/users/{user_id}` gives it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the server has them, each apart from the rest")]
pub struct Account {
    /// Its id, in the spelling that the server has.
    #[serde(rename = "name")]
    pub user_id: OwnedUserId,
    /// The name that people see.
    #[serde(default, deserialize_with = "known")]
    pub displayname: Option<Hostile>,
    /// The `mxc://` address of its picture; the server does not check its form.
    #[serde(default, deserialize_with = "known")]
    pub avatar_url: Option<Hostile>,
    /// Whether it is a server admin.
    #[serde(deserialize_with = "flag")]
    pub admin: bool,
    /// Whether it is deactivated.
    #[serde(deserialize_with = "flag")]
    pub deactivated: bool,
    /// Whether it was deactivated with erasure.
    #[serde(default, deserialize_with = "flag")]
    pub erased: bool,
    /// Whether it is locked: it cannot do anything until it is unlocked.
    #[serde(default, deserialize_with = "flag")]
    pub locked: bool,
    /// Whether it is suspended; `None` where the server is too old to know.
    #[serde(default, deserialize_with = "optional_flag")]
    pub suspended: Option<bool>,
    /// Whether what it sends reaches nobody.
    #[serde(default, deserialize_with = "flag")]
    pub shadow_banned: bool,
    /// Whether an admin has approved it; `None` where the server has no approvals.
    #[serde(default, deserialize_with = "optional_flag")]
    pub approved: Option<bool>,
    /// Whether it is a guest.
    #[serde(default, deserialize_with = "flag")]
    pub is_guest: bool,
    /// When it was created, if that is known. This endpoint alone gives it in seconds.
    #[serde(default, rename = "creation_ts", deserialize_with = "known")]
    pub created: Option<Timestamp>,
    /// When it was last seen by its addresses, if that is known: the server forgets them after a
    /// month, and its devices know for longer. See [`Reader::last_seen`](super::Reader::last_seen).
    #[serde(default, rename = "last_seen_ts", deserialize_with = "known")]
    pub last_seen: Option<Timestamp>,
    /// The application service that it belongs to, so that it is bridged.
    pub appservice_id: Option<Hostile>,
    /// `bot`, `support` or a type of the server's own.
    #[serde(default, deserialize_with = "known")]
    pub user_type: Option<Hostile>,
    /// Mail addresses and telephone numbers.
    #[serde(default, deserialize_with = "readable")]
    pub threepids: Vec<ThreePid>,
    /// Accounts of identity providers that sign on to it.
    #[serde(default, deserialize_with = "readable")]
    pub external_ids: Vec<ExternalId>,
    /// What the specification's endpoints tell, where there are no others: the rest is not known then,
    /// but for the id and the name.
    #[serde(skip)]
    pub told: Option<Told>,
}

/// What the specification's endpoints tell of an account, each state where its endpoint is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Whether it is suspended.
    pub suspended: Option<bool>,
    /// Whether it is locked.
    pub locked: Option<bool>,
    /// Whether the endpoints are at their stable paths.
    pub stable: bool,
    /// Whether the homeserver refuses to tell, since it is an admin's.
    pub withheld: bool,
}

impl Account {
    /// The account of which no more is known than this: it is there, and so it is not deactivated.
    pub(super) fn told(user_id: OwnedUserId, displayname: Option<Hostile>, told: Told) -> Self {
        Self {
            user_id,
            displayname,
            avatar_url: None,
            admin: told.withheld,
            deactivated: false,
            erased: false,
            locked: told.locked == Some(true),
            suspended: told.suspended,
            shadow_banned: false,
            approved: None,
            is_guest: false,
            created: None,
            last_seen: None,
            appservice_id: None,
            user_type: None,
            threepids: Vec::new(),
            external_ids: Vec::new(),
            told: Some(told),
        }
    }
}

/// A mail address or a telephone number of an account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ThreePid {
    /// `email` or `msisdn`.
    pub medium: Hostile,
    /// The address or number.
    pub address: Hostile,
}

/// An account of an identity provider that signs on to an account here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ExternalId {
    /// The provider's id in the server's configuration.
    pub auth_provider: Hostile,
    /// The account's id at that provider.
    pub external_id: Hostile,
}

/// A device of an account, as `GET /_synapse/admin/v2/users/{user_id}/devices` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Device {
    /// Its id.
    pub device_id: OwnedDeviceId,
    /// The name that its owner or client gave it.
    pub display_name: Option<Hostile>,
    /// When it was last seen, if that is known.
    #[serde(default, rename = "last_seen_ts", deserialize_with = "known")]
    pub last_seen: Option<Timestamp>,
    /// The address from which it was last seen.
    #[serde(rename = "last_seen_ip")]
    pub ip: Option<Private>,
    /// The client with which it was last seen.
    #[serde(rename = "last_seen_user_agent")]
    pub user_agent: Option<Private>,
    /// Whether it is a dehydrated device, which is never seen and not stale for that.
    #[serde(default, deserialize_with = "flag")]
    pub dehydrated: bool,
}

/// Text that takes [`Power::LookPrivate`](crate::change::Power::LookPrivate) to be shown, such as
/// an IP address. It does not show in debug output.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(transparent)]
pub struct Private(Hostile);

impl Private {
    /// The text, for somebody who asked for it and may see it.
    pub fn show(&self) -> &Hostile {
        &self.0
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Private")
    }
}
