//! What nearly every verb looks at: an account, and what belongs to it.

use jiff::Timestamp;
use ruma::{OwnedRoomId, OwnedUserId, UserId};
use serde::Deserialize;

use super::Reader;
use crate::{
    change::Path,
    error::api::{Error, Kind},
    synapse::{
        account::{Account, Device},
        wire::passed,
    },
};

impl Reader {
    /// The account whose token this sends. `GET /_matrix/client/v3/account/whoami`.
    pub async fn caller(&self) -> Result<OwnedUserId, Error> {
        #[derive(Deserialize)]
        struct WhoAmI {
            user_id: OwnedUserId,
        }
        let path = Path::client(["v3", "account", "whoami"]);
        self.get::<WhoAmI>(&path, &[]).await.map(|answer| answer.user_id)
    }

    /// The account `user`, as the Admin API tells of it. `GET /_synapse/admin/v2/users/{user_id}`.
    pub(in crate::synapse) async fn account_of_admin_api(
        &self,
        user: &UserId,
    ) -> Result<Option<Account>, Error> {
        let path = Path::admin(["v2", "users", user.as_str()]);
        let mut account: Option<Account> = self.find(&path, &[]).await?;
        if let Some(account) = &mut account {
            // Something between that mixes answers up must not lend one account the state of another.
            if account.user_id != *user {
                return Err(Error::because(Kind::Unreadable, "it is about another account"));
            }
            account.created = self.passed(account.created);
            if account.created.is_none() {
                tracing::info!(
                    field = "creation_ts",
                    "the homeserver does not know it of an account"
                );
            }
            account.last_seen = self.passed(account.last_seen);
        }
        Ok(account)
    }

    /// The moment, unless it is still to come: nothing was seen then. The homeserver's clock may be
    /// a little ahead of this one.
    pub fn passed(&self, at: Option<Timestamp>) -> Option<Timestamp> {
        passed(at, self.now())
    }

    /// When an account was last seen: by its addresses or by one of its devices, whichever knows
    /// of a later moment. `None` where neither does, which is not to say that it never was.
    pub fn last_seen(&self, account: &Account, devices: &[Device]) -> Option<Timestamp> {
        let by_device = devices.iter().filter_map(|device| device.last_seen).max();
        account.last_seen.max(by_device)
    }

    /// The devices of `user`, an account of this homeserver.
    /// `GET /_synapse/admin/v2/users/{user_id}/devices`.
    pub async fn devices(&self, user: &UserId) -> Result<Vec<Device>, Error> {
        #[derive(Deserialize)]
        struct Listed {
            devices: Vec<Device>,
        }
        let path = Path::admin(["v2", "users", user.as_str(), "devices"]);
        let mut devices = self.get::<Listed>(&path, &[]).await?.devices;
        for device in &mut devices {
            device.last_seen = self.passed(device.last_seen);
        }
        Ok(devices)
    }

    /// The rooms that `user` has joined, in no order; empty for a user that does not exist.
    /// `GET /_synapse/admin/v1/users/{user_id}/joined_rooms`.
    pub async fn joined_rooms(&self, user: &UserId) -> Result<Vec<OwnedRoomId>, Error> {
        #[derive(Deserialize)]
        struct Listed {
            joined_rooms: Vec<OwnedRoomId>,
        }
        let path = Path::admin(["v1", "users", user.as_str(), "joined_rooms"]);
        self.get::<Listed>(&path, &[]).await.map(|listed| listed.joined_rooms)
    }

    /// How many files `user`, an account of this homeserver, has uploaded and not lost again.
    /// `GET /_synapse/admin/v1/users/{user_id}/media`.
    pub async fn media_count(&self, user: &UserId) -> Result<u64, Error> {
        #[derive(Deserialize)]
        struct Listed {
            total: u64,
        }
        let path = Path::admin(["v1", "users", user.as_str(), "media"]);
        let query = [("limit", "1".to_owned())];
        self.get::<Listed>(&path, &query).await.map(|listed| listed.total)
    }

    /// How many reports are open of what `user` has written.
    /// `GET /_synapse/admin/v1/event_reports?event_sender_user_id=…`.
    pub async fn reports_of_messages(&self, user: &UserId) -> Result<u64, Error> {
        #[derive(Deserialize)]
        struct Listed {
            total: u64,
        }
        let query = [("event_sender_user_id", user.to_string()), ("limit", "1".to_owned())];
        let path = Path::admin(["v1", "event_reports"]);
        self.get::<Listed>(&path, &query).await.map(|listed| listed.total)
    }

    /// How many reports are open of the account `user` itself, among the newest 100 of accounts
    /// whose ids hold this one: the homeserver cannot be asked for exactly one.
    /// `GET /_synapse/admin/v1/user_reports?target_user_id=…`, since Synapse 1.152.
    pub async fn reports_of_account(&self, user: &UserId) -> Result<u64, Error> {
        #[derive(Deserialize)]
        struct Listed {
            user_reports: Vec<Report>,
        }
        #[derive(Deserialize)]
        struct Report {
            target_user_id: String,
        }
        let query = [("target_user_id", user.to_string()), ("limit", "100".to_owned())];
        let path = Path::admin(["v1", "user_reports"]);
        let listed = self.get::<Listed>(&path, &query).await?;
        let of_user = listed.user_reports.iter().filter(|report| report.target_user_id == *user);
        Ok(of_user.count() as u64)
    }
}
