//! What several operators say in the same words, because its nature or the config wants more than
//! one: another configuration, and a key that is accepted for somebody.
//!
//! Unlike a question it has no code: whoever agrees says what they agree to, and it is compared.

use std::{collections::BTreeSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use ruma::OwnedUserId;
use tokio::sync::Mutex;

use crate::{
    audit::{Audit, Kind, Record},
    change::{Class, Power},
    clock::SharedClock,
    config::Config,
    error::Stop,
    operators::{Operator, Roster},
    pipeline::{FreezeControl, Invocation, Questions, Rules, Voice},
    reply::Line,
    totp::DIGITS,
};

/// Who has said the same until now.
#[derive(Debug)]
struct Agreement<T> {
    what: T,
    voices: Vec<(Operator, Timestamp)>,
}

/// What takes several, and who may say it.
#[derive(Debug, Clone, Copy)]
pub(in crate::pipeline) struct Wanted<'a> {
    /// By which name roles and rules know it.
    pub(in crate::pipeline) verb: &'static str,
    pub(in crate::pipeline) power: Power,
    pub(in crate::pipeline) class: Class,
    /// How many besides the one who says it first, whatever the config says.
    pub(in crate::pipeline) others: usize,
    /// What is agreed to, for the record.
    pub(in crate::pipeline) note: &'a str,
    /// The one-time password that was typed with it.
    pub(in crate::pipeline) password: Option<&'a str>,
    /// A person who has no say in it.
    pub(in crate::pipeline) except: Option<&'a str>,
}

/// What it takes before it is agreed to.
struct Takes {
    /// How many persons besides the one who says it first.
    others: usize,
    /// Whether a one-time password is typed with it.
    totp: bool,
}

/// What came of saying it.
#[derive(Debug)]
pub(in crate::pipeline) enum Agreed {
    /// All have said so: these, in the order in which they did.
    By(Vec<OwnedUserId>),
    /// So many more must say it, of these.
    Waits(usize, Vec<OwnedUserId>),
    /// It takes so many others, and fewer may.
    TooFew(usize),
}

/// What several operators have to say, and who has said it until now.
#[derive(Debug)]
pub(in crate::pipeline) struct Agreements {
    /// Who wants another configuration in force.
    reload: Mutex<Option<Agreement<Config>>>,
    /// Who accepts which key for whom.
    key: Mutex<Option<Agreement<(OwnedUserId, String)>>>,
    below: Below,
}

/// What [`Agreements`] is made on.
#[derive(Debug)]
pub(in crate::pipeline) struct Below {
    pub(in crate::pipeline) roster: Arc<Roster>,
    pub(in crate::pipeline) rules: Arc<Rules>,
    pub(in crate::pipeline) clock: SharedClock,
    pub(in crate::pipeline) audit: Audit,
    pub(in crate::pipeline) freeze_control: Arc<FreezeControl>,
    pub(in crate::pipeline) voice: Arc<Voice>,
    pub(in crate::pipeline) questions: Arc<Questions>,
}

impl Agreements {
    pub(in crate::pipeline) fn new(below: Below) -> Self {
        Self { reload: Mutex::default(), key: Mutex::default(), below }
    }

    /// Counts the word of the asker for putting this configuration in force.
    pub(in crate::pipeline) async fn on_reload(
        &self,
        invocation: &Invocation<'_>,
        config: Config,
        wanted: Wanted<'_>,
    ) -> Result<Agreed, Stop> {
        let same = |one: &Config, other: &Config| one.differences(other).is_empty();
        self.agree(invocation, &self.reload, config, same, wanted).await
    }

    /// Counts the word of the asker for knowing this user by this key.
    pub(in crate::pipeline) async fn on_key(
        &self,
        invocation: &Invocation<'_>,
        key: (OwnedUserId, String),
        wanted: Wanted<'_>,
    ) -> Result<Agreed, Stop> {
        self.agree(invocation, &self.key, key, PartialEq::eq, wanted).await
    }

    /// Counts the word of the asker for `what`. Those who said the same before count as long as a
    /// question to others waits, and as long as they may still say it.
    async fn agree<T: Send>(
        &self,
        invocation: &Invocation<'_>,
        said: &Mutex<Option<Agreement<T>>>,
        what: T,
        same: impl Fn(&T, &T) -> bool,
        wanted: Wanted<'_>,
    ) -> Result<Agreed, Stop> {
        let Takes { others, totp } = self.takes(invocation, &wanted).await?;
        let person = &invocation.operator.person;
        let may: Vec<&Operator> = self.below.roster.operators.values().collect();
        let may = may.into_iter().filter(|one| one.person != *person && self.may_say(one, &wanted));
        let may: Vec<&Operator> = may.collect();
        let persons: BTreeSet<&str> = may.iter().map(|one| one.person.as_str()).collect();
        if persons.len() < others {
            return Ok(Agreed::TooFew(others));
        }
        if totp {
            self.shows_password(invocation, wanted.password).await?;
        }
        let mut said = said.lock().await;
        let mut voices = match said.take() {
            Some(before) if same(&before.what, &what) => before.voices,
            _ => Vec::new(),
        };
        let within = SignedDuration::try_from(self.below.rules.approve_within).unwrap_or_default();
        let now = self.below.clock.now();
        voices.retain(|(one, at)| {
            may.iter().any(|may| may.user == one.user) && now.duration_since(*at) <= within
        });
        if voices.len() >= others {
            let by = voices.into_iter().map(|(one, _)| one.user);
            return Ok(Agreed::By(by.chain([invocation.operator.user.clone()]).collect()));
        }
        let note = Some(wanted.note.to_owned());
        let record = Record { note, ..invocation.record(Kind::QuestionPut) };
        self.below.audit.note(record).await?;
        let left = others - voices.len();
        let heard = |one: &&&Operator| !voices.iter().any(|(by, _)| by.person == one.person);
        let ring = may.iter().filter(heard).map(|one| one.user.clone()).collect();
        voices.push((invocation.operator.clone(), now));
        *said = Some(Agreement { what, voices });
        Ok(Agreed::Waits(left, ring))
    }

    /// What this takes by the config and by its nature; a refusal where it is not allowed now.
    async fn takes(&self, invocation: &Invocation<'_>, wanted: &Wanted<'_>) -> Result<Takes, Stop> {
        let &Wanted { verb, power, class, .. } = wanted;
        let Below { freeze_control, voice, .. } = &self.below;
        let reason = invocation.options.reason.as_deref();
        let (demanded, totp) = match freeze_control.gate().demands(verb, power, class, reason) {
            Ok(demanded) => demanded,
            Err(refusal) => {
                voice.refused(invocation, refusal.0.clone()).await;
                return Err(Stop::refused(refusal.0));
            }
        };
        let others = wanted.others.max(demanded);
        if others > 0 {
            freeze_control.ensure_not_frozen()?;
            if invocation.origin.is_in_clear() {
                return Err(Stop::refused(
                    "this needs more than one operator, and that counts only in an encrypted room",
                ));
            }
        }
        Ok(Takes { others, totp })
    }

    fn may_say(&self, one: &Operator, wanted: &Wanted<'_>) -> bool {
        one.role.allows(wanted.power, wanted.verb)
            && wanted.except.is_none_or(|person| one.person != person)
            && self.below.freeze_control.person_frozen(&one.person).is_none()
    }

    async fn shows_password(
        &self,
        invocation: &Invocation<'_>,
        typed: Option<&str>,
    ) -> Result<(), Stop> {
        let Some(typed) = typed else {
            let again = format!("{} 123456", crate::input::shown(invocation.words));
            return Err(Stop::refused(
                Line::new()
                    .plain(format!(
                        "this needs your one-time password at the end (the {DIGITS} digits that \
                        your app shows now): "
                    ))
                    .command(again),
            ));
        };
        self.below.questions.shown(invocation, typed).await.map(|_| ())
    }
}

/// The words of a command without the one-time password among them: it belongs on no record.
pub(in crate::pipeline) fn without(words: &[String], password: Option<&String>) -> Vec<String> {
    words.iter().filter(|word| Some(*word) != password).cloned().collect()
}
