//! What each part of the bot is told of the config.

use std::time::Duration;

use ruma::{OwnedRoomId, OwnedRoomOrAliasId, OwnedUserId};

use super::state::unfreeze_file;
use crate::{
    config::{self, AuthenticationService, Config, PolicyMode, RateLimit, UserMeasure},
    matrix,
    metrics::Metrics,
    operators::{Operator, Roster},
    pipeline::{DeskRules, PolicyRules, Rules, WatchedList},
    service::Service,
    store::{self, Store},
    synapse::{Access, AccountsAccess},
    totp::OneTimePasswords,
};

/// How to reach the homeserver at `base`, and its files where the config says.
pub(super) fn access(config: &Config, base: url::Url) -> Access {
    Access {
        base,
        media: config.homeserver.media_admin_url.clone(),
        token: config.homeserver.admin_token.clone(),
        token_expires: config.homeserver.admin_token_expires,
        server_name: config.bot.user_id.server_name().to_owned(),
        accounts: config.homeserver.authentication_service.as_ref().map(accounts),
    }
}

fn accounts(service: &AuthenticationService) -> AccountsAccess {
    AccountsAccess {
        admin_url: service.admin_url.clone(),
        issuer: service.issuer.clone(),
        client_id: service.client_id.clone(),
        client_secret: service.client_secret.clone(),
    }
}

pub(super) fn settings(
    config: &Config,
    remembers_nothing: bool,
    service: &Service,
) -> matrix::Settings {
    matrix::Settings {
        remembers_nothing,
        new_device: false,
        homeserver: config.homeserver.url.clone(),
        user_id: config.bot.user_id.clone(),
        login: config.bot.login.clone(),
        device_name: config.bot.device_name.clone(),
        display_name: config.bot.display_name.clone(),
        avatar: config.bot.avatar,
        describe_commands: config.bot.describe_commands,
        unlimited: config.homeserver.rate_limit == RateLimit::Lift,
        state: config.state.clone(),
        recovery_key_file: config.recovery_key_file.clone(),
        rooms: config.rooms.clone(),
        record_room: config.record.room.clone(),
        encryption: config.encryption,
        trust: config.trust,
        operators: config.operators.iter().map(pinned).collect(),
        max_age: config.commands.max_age,
        layout: config.layout,
        prefix: config.bot.prefix.clone(),
        service: service.clone(),
        metrics: Metrics::off(),
    }
}

fn pinned(operator: &config::Operator) -> matrix::Pinned {
    matrix::Pinned { user_id: operator.user_id.clone(), master_key: operator.master_key.clone() }
}

pub(super) fn roster(
    config: &Config,
    admin_account: OwnedUserId,
    rooms: Vec<OwnedRoomId>,
) -> Roster {
    let operators = config.operators.iter().map(|operator| {
        let known = Operator {
            user: operator.user_id.clone(),
            role: operator.role.clone(),
            person: operator.person.clone(),
        };
        (operator.user_id.clone(), known)
    });
    Roster {
        bot: config.bot.user_id.clone(),
        admin_account: Some(admin_account),
        rooms: rooms.into_iter().collect(),
        record_room: config.record.room.clone(),
        operators: operators.collect(),
        roles: config.roles.clone(),
        read_only: config.read_only,
        policy: config.policy.clone(),
    }
}

pub(super) fn passwords(config: &Config, store: &Store) -> Result<OneTimePasswords, store::Error> {
    let seed = |one: &config::Operator| Some((one.user_id.clone(), one.totp.clone()?));
    OneTimePasswords::new(config.operators.iter().filter_map(seed), store)
}

/// How reports come to the room; `first` is the first of the admin rooms, `known` those of the config in its
/// order.
pub(super) fn desk(
    config: &Config,
    first: Option<&OwnedRoomId>,
    pinned: impl Fn(&OwnedRoomOrAliasId) -> Option<OwnedRoomId>,
) -> Option<DeskRules> {
    let desk = config.reports.as_ref()?;
    let room = desk.room.as_ref().and_then(pinned).or_else(|| first.cloned())?;
    let duty = config.operators.iter().map(|one| (one.user_id.clone(), one.duty.clone()));
    Some(DeskRules {
        room,
        remind_after: desk.remind_after,
        escalate_after: desk.escalate_after,
        show_content: desk.show_content,
        tell_reporters: desk.tell_reporters,
        duty: duty.collect(),
    })
}

/// Which policy lists are watched; `first` is the first of the admin rooms.
pub(super) fn policy_lists(config: &Config, first: Option<&OwnedRoomId>) -> Option<PolicyRules> {
    let room = first?.clone();
    let lists = config.policy_lists.iter().map(|list| WatchedList {
        named: list.room.clone(),
        acts: list.mode == PolicyMode::Act,
        on_users: match list.users {
            UserMeasure::Suspend => ["user", "suspend"],
            UserMeasure::Lock => ["user", "lock"],
        },
        per_hour: list.per_hour,
    });
    Some(PolicyRules { room, lists: lists.collect() })
}

/// How long after a start the homeserver may still be busy with what was sent before it: as long as
/// it may take to answer a change.
const SETTLING: Duration = Duration::from_secs(5);

/// How long the homeserver is left alone with its work before it is asked how far it is: most of it
/// is over by then.
const ASK_AGAIN: Duration = Duration::from_secs(1);

pub(super) fn rules(config: &Config) -> Rules {
    Rules {
        prefix: config.bot.prefix.clone(),
        max_age: config.commands.max_age,
        expire_after: config.questions.expire_after,
        approve_within: config.questions.approve_within,
        typed_secrets: config.commands.typed_secrets,
        settling: SETTLING,
        ask_again: ASK_AGAIN,
        unfreeze_file: unfreeze_file(&config.state),
        digest: config.digest,
        desk: None,
        announce: config.announce,
        policy_lists: None,
        wave: config.wave,
        told_in: None,
        keep_details: config.record.details,
        lift_rate_limit: config.homeserver.rate_limit == RateLimit::Lift,
    }
}
