//! What a configuration says otherwise than the one in force, and whether that gives anybody more.

use std::{collections::BTreeMap, fmt};

use ruma::{OwnedUserId, UserId};
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    Announce, AuthenticationService, Bot, Commands, Config, Homeserver, Login, Operator, Questions,
    RecordKeeping, ShellAccess,
};
use crate::{
    operators::{Policy, Protection, Stance},
    reply::Line,
};

/// What it means that something is otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nobody may do more than before, and nothing is asked or kept less.
    Narrower,
    /// Somebody may do more than before, or it cannot be known that nobody may.
    Wider,
    /// It takes a new start of the process.
    AtStart,
}

/// One thing that is otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The key.
    pub key: &'static str,
    /// Whose, where it is that of an operator.
    pub user: Option<OwnedUserId>,
    /// What is otherwise about it, where that can be said: never the value of a secret.
    pub how: Option<String>,
    /// What it means.
    pub effect: Effect,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key)?;
        self.user.iter().try_for_each(|user| write!(f, " {user}"))?;
        self.how.iter().try_for_each(|how| write!(f, ": {how}"))
    }
}

impl From<&Difference> for Line {
    fn from(difference: &Difference) -> Self {
        let line = Self::new().code(difference.key);
        let line = match &difference.user {
            Some(user) => line.plain(" ").code(user),
            None => line,
        };
        match &difference.how {
            Some(how) => line.plain(format!(": {how}")),
            None => line,
        }
    }
}

/// What was found so far.
#[derive(Default)]
struct Found(Vec<Difference>);

impl Found {
    /// A key as a whole: nothing where it says the `same`.
    fn key(&mut self, key: &'static str, same: bool, effect: Effect) {
        if !same {
            self.0.push(Difference { key, user: None, how: None, effect });
        }
    }

    /// Something about an operator.
    fn of(&mut self, user: &UserId, how: impl Into<String>, effect: Effect) {
        let (user, how) = (Some(user.to_owned()), Some(how.into()));
        self.0.push(Difference { key: "operators", user, how, effect });
    }

    /// A key where less is narrower.
    fn at_most<T: PartialOrd>(&mut self, key: &'static str, was: &T, is: &T) {
        self.key(key, was == is, narrower_if(is < was));
    }
}

fn narrower_if(narrower: bool) -> Effect {
    if narrower { Effect::Narrower } else { Effect::Wider }
}

impl Config {
    /// What `now` says otherwise than this one, which is in force.
    ///
    /// Whatever is not known to be narrower counts as wider. A key that is added to the config is
    /// asked for here by the compiler.
    pub fn differences(&self, now: &Self) -> Vec<Difference> {
        let Self {
            read_only,
            homeserver,
            bot,
            state,
            recovery_key_file,
            rooms,
            encryption,
            trust,
            roles,
            operators,
            questions,
            policy,
            commands,
            record,
            shell,
            backup,
            digest,
            reports,
            announce,
            policy_lists,
            wave,
            monitoring,
            layout,
            log,
            log_format,
        } = self;
        let mut found = Found::default();
        found.key("read_only", *read_only == now.read_only, narrower_if(now.read_only));
        found.homeserver(homeserver, &now.homeserver);
        found.key("bot", same_bot(bot, &now.bot), Effect::AtStart);
        found.key("state", *state == now.state, Effect::AtStart);
        let same = *recovery_key_file == now.recovery_key_file;
        found.key("recovery_key_file", same, Effect::AtStart);
        // A room that is taken off the list can be acted on like any other.
        found.key("rooms", *rooms == now.rooms, Effect::Wider);
        found.key("encryption", *encryption == now.encryption, Effect::AtStart);
        found.key("trust", *trust == now.trust, Effect::Wider);
        // Whoever has a role that is otherwise is named with it.
        found.key("roles", *roles == now.roles, Effect::Narrower);
        found.operators(operators, &now.operators, policy.protection.operators);
        found.questions(questions, &now.questions);
        found.policy(policy, &now.policy);
        found.commands(commands, &now.commands);
        found.record(record, &now.record);
        found.shell(shell.as_ref(), now.shell.as_ref());
        found.key("backup", *backup == now.backup, Effect::Wider);
        found.key("digest", *digest == now.digest, Effect::Narrower);
        found.key("reports", *reports == now.reports, Effect::Wider);
        // Where less is told, less is seen of what goes on.
        let was_off = *announce == Announce::Off;
        found.key("accounts.announce", *announce == now.announce, narrower_if(was_off));
        let kept = now.policy_lists.iter().all(|list| policy_lists.contains(list));
        found.key("policy_lists", *policy_lists == now.policy_lists, narrower_if(kept));
        found.key("wave", *wave == now.wave, Effect::Wider);
        found.key("monitoring", *monitoring == now.monitoring, Effect::AtStart);
        found.key("layout", *layout == now.layout, Effect::Narrower);
        found.key("log", *log == now.log, Effect::Narrower);
        found.key("log.format", *log_format == now.log_format, Effect::AtStart);
        found.0
    }
}

impl Found {
    fn homeserver(&mut self, was: &Homeserver, is: &Homeserver) {
        // Where the token lies says nothing about what it may do.
        let Homeserver {
            url,
            admin_url,
            media_admin_url,
            admin_token,
            admin_token_expires,
            admin_token_file: _,
            authentication_service,
            rate_limit,
        } = was;
        self.key("homeserver.url", *url == is.url, Effect::AtStart);
        self.key("homeserver.admin_url", *admin_url == is.admin_url, Effect::Wider);
        let same = *media_admin_url == is.media_admin_url;
        self.key("homeserver.media_admin_url", same, Effect::Wider);
        let same = same_secret(admin_token, &is.admin_token);
        self.key("homeserver.admin_token", same, Effect::Wider);
        let same = *admin_token_expires == is.admin_token_expires;
        self.key("homeserver.admin_token_expires", same, Effect::Narrower);
        let same = match (authentication_service, &is.authentication_service) {
            (Some(was), Some(is)) => same_service(was, is),
            (was, is) => was.is_none() && is.is_none(),
        };
        let effect = narrower_if(is.authentication_service.is_none());
        self.key("homeserver.authentication_service", same, effect);
        self.key("homeserver.rate_limit", *rate_limit == is.rate_limit, Effect::Narrower);
    }

    /// `protected` is how operators were protected: whoever is no operator any more is not protected any more.
    fn operators(&mut self, was: &[Operator], is: &[Operator], protected: Stance) {
        let by_user = |all| -> BTreeMap<&UserId, &Operator> {
            let all: &[Operator] = all;
            all.iter().map(|one| (&*one.user_id, one)).collect()
        };
        let (was, is) = (by_user(was), by_user(is));
        for (user, one) in &is {
            match was.get(user) {
                Some(before) => self.operator(before, one),
                None => self.of(user, format!("new, as {}", one.role.name), Effect::Wider),
            }
        }
        for user in was.keys().filter(|user| !is.contains_key(*user)) {
            self.of(user, "gone", narrower_if(protected == Stance::Phrase));
        }
    }

    fn operator(&mut self, was: &Operator, is: &Operator) {
        let Operator { user_id, role, person, master_key, totp, duty } = was;
        if *role != is.role {
            let (old, new) = (&role.name, &is.role.name);
            let how = format!("role: {old} before, {new} now");
            self.of(user_id, how, narrower_if(is.role.is_within(role)));
        }
        if *person != is.person {
            self.of(user_id, "different person", Effect::Wider);
        }
        if *duty != is.duty {
            self.of(user_id, "different hours of duty", Effect::Narrower);
        }
        if *master_key != is.master_key {
            self.of(user_id, "different master key", Effect::Wider);
        }
        let same = match (totp, &is.totp) {
            (Some(was), Some(is)) => same_secret(was, is),
            (was, is) => was.is_none() && is.is_none(),
        };
        if !same {
            self.of(user_id, "different one-time password seed", Effect::Wider);
        }
    }

    fn questions(&mut self, was: &Questions, is: &Questions) {
        let Questions { expire_after, approve_within } = was;
        self.at_most("questions.expire_after", expire_after, &is.expire_after);
        self.at_most("questions.approve_within", approve_within, &is.approve_within);
    }

    fn policy(&mut self, was: &Policy, is: &Policy) {
        let Policy { reactions, rules, protection, alone, unreviewed, reason } = was;
        self.at_most("questions.reactions", reactions, &is.reactions);
        let kept = rules.iter().all(|rule| is.rules.contains(rule));
        self.key("questions.rules", *rules == is.rules, narrower_if(kept));
        self.key("questions.alone", *alone == is.alone, narrower_if(is.alone.is_none()));
        self.at_most("questions.unreviewed", unreviewed, &is.unreviewed);
        let [was, now] =
            [reason, &is.reason].map(|reason| reason.as_ref().map(regex::Regex::as_str));
        self.key("questions.reason", was == now, narrower_if(was.is_none()));
        self.protection(protection, &is.protection);
    }

    fn protection(&mut self, was: &Protection, is: &Protection) {
        let Protection { server_admins, operators, bridged, subjects } = was;
        for (key, was, is) in [
            ("protected.server_admins", server_admins, is.server_admins),
            ("protected.operators", operators, is.operators),
            ("protected.bridged", bridged, is.bridged),
        ] {
            self.key(key, *was == is, narrower_if(is > *was));
        }
        let kept = subjects.iter().all(|one| is.subjects.contains(one));
        self.key("protected.subjects", *subjects == is.subjects, narrower_if(kept));
    }

    fn commands(&mut self, was: &Commands, is: &Commands) {
        let Commands { max_age, typed_secrets } = was;
        self.at_most("commands.max_age", max_age, &is.max_age);
        self.at_most("commands.typed_secrets", typed_secrets, &is.typed_secrets);
    }

    /// Where it lies says nothing about who may speak there; its group does.
    fn shell(&mut self, was: Option<&ShellAccess>, is: Option<&ShellAccess>) {
        let (Some(was), Some(is)) = (was, is) else {
            self.key("shell", was == is, narrower_if(is.is_none()));
            return;
        };
        let ShellAccess { socket, group, operators } = was;
        self.key("shell.socket", *socket == is.socket, Effect::Narrower);
        self.key("shell.group", *group == is.group, narrower_if(is.group.is_none()));
        let kept = is.operators.iter().all(|(uid, user)| operators.get(uid) == Some(user));
        self.key("shell.operators", *operators == is.operators, narrower_if(kept));
    }

    fn record(&mut self, was: &RecordKeeping, is: &RecordKeeping) {
        let RecordKeeping { file, rotation, room, details } = was;
        self.key("record.room", *room == is.room, narrower_if(room.is_none()));
        self.key("record.file", *file == is.file, narrower_if(file.is_none()));
        self.key("record.rotate", *rotation == is.rotation, Effect::Narrower);
        // Details that go sooner are looks and changes that nobody can be asked about.
        let longer = narrower_if(is.details > *details);
        self.key("record.keep_details", *details == is.details, longer);
    }
}

fn same_service(was: &AuthenticationService, is: &AuthenticationService) -> bool {
    let AuthenticationService { admin_url, issuer, client_id, client_secret } = was;
    let same_place = *admin_url == is.admin_url && *issuer == is.issuer;
    same_place && *client_id == is.client_id && same_secret(client_secret, &is.client_secret)
}

fn same_bot(was: &Bot, is: &Bot) -> bool {
    let Bot { user_id, login, device_name, display_name, avatar, prefix, describe_commands } = was;
    let same_login = match (login, &is.login) {
        (Login::Password(was), Login::Password(is))
        | (Login::AccessToken(was), Login::AccessToken(is)) => same_secret(was, is),
        _ => false,
    };
    let same_names = *device_name == is.device_name && *display_name == is.display_name;
    let same_shown = *avatar == is.avatar && *describe_commands == is.describe_commands;
    let same_manner = same_shown && *prefix == is.prefix;
    *user_id == is.user_id && same_login && same_names && same_manner
}

fn same_secret(was: &SecretString, is: &SecretString) -> bool {
    was.expose_secret() == is.expose_secret()
}
