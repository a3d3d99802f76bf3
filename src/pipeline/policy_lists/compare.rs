//! What has changed in a list, and what its rules fit here.

use std::collections::BTreeMap;

use ruma::{RoomId, UserId};
use tracing::warn;

use super::{
    PolicyWatch, WatchedList,
    fetch::{self, Found, Listed},
};
use crate::{
    change::Subject,
    error::Stop,
    gate::Target,
    pipeline::change::target,
    policy_lists::{
        About, Counts, Few, Fit, Kept, List, Pattern, Recommendation, Rule, RuleKey, Told,
        Withdrawn,
    },
    store,
};

/// How many rules may name an account or a room that is looked up by itself; more of them are compared with
/// a listing.
const ONE_BY_ONE: usize = 40;
/// How many are looked up one by one at one look, where the listing has not all.
const LOOKED_UP: usize = 300;
/// How many comparisons of a pattern with an id are made at one look.
pub(super) const COMPARISONS: usize = 300_000;
/// After how many of them others have their turn.
const AT_ONCE: usize = 2_000;
/// How many rules are named one by one in what is told of one look.
const NAMED: usize = 50;
/// How many patterns that fit are told one by one of one look.
const PATTERNS: usize = 5;

/// What is here, as far as it had to be listed, and how much may still be compared at this look.
struct Here {
    users: Option<Listed>,
    rooms: Option<Listed>,
    look_ups: usize,
    comparisons: usize,
}

/// What became of the rules of a list.
#[derive(Default)]
struct Changes {
    /// What is to be written of them.
    pending: BTreeMap<RuleKey, Option<Kept>>,
    /// Those that say something else of what they fit.
    changed: Vec<RuleKey>,
    /// Those that were known and fit more now, since that has come later.
    again: Vec<RuleKey>,
    /// Those that are gone, and fitted something.
    withdrawn: Vec<Withdrawn>,
}

/// Rules that fit something, by how they are told.
#[derive(Default)]
struct Sorted {
    acting: Vec<Fit>,
    users: Vec<Fit>,
    rooms: Vec<Fit>,
    patterns: Vec<Fit>,
}

impl Sorted {
    /// Whether the bot is about to act on what this fits.
    fn acts_on(&self, fit: &Fit) -> bool {
        let is_it = |acting: &Fit| acting.fits.ids == fit.fits.ids;
        !fit.fits.is_empty() && self.acting.iter().any(is_it)
    }

    /// The messages, together with those about rules that are gone.
    fn told(self, mut withdrawn: Vec<Withdrawn>) -> Vec<Told> {
        let Self { acting, mut users, mut rooms, patterns } = self;
        let mut more = patterns.len().saturating_sub(PATTERNS);
        for fits in [&mut users, &mut rooms] {
            more += fits.len().saturating_sub(NAMED);
            fits.truncate(NAMED);
        }
        withdrawn.truncate(NAMED);
        let mut told: Vec<Told> =
            acting.into_iter().map(|fit| Told::Acting(Box::new(fit))).collect();
        told.extend((!users.is_empty()).then_some(Told::Users(users)));
        told.extend((!rooms.is_empty()).then_some(Told::Rooms(rooms)));
        let patterns = patterns.into_iter().take(PATTERNS);
        told.extend(patterns.map(|fit| Told::Pattern(Box::new(fit))));
        told.extend((more > 0).then_some(Told::More(more)));
        told.extend((!withdrawn.is_empty()).then_some(Told::Withdrawn(withdrawn)));
        told
    }
}

impl PolicyWatch {
    /// Takes in what stands in a list now: what of it fits, and what is to be told. Whether something is
    /// left to be compared.
    pub(super) async fn take(
        &self,
        watched: &WatchedList,
        list: &mut List,
        found: Found,
    ) -> Result<bool, store::Error> {
        let mut rules = self.below.lists.rules(watched.named.as_str())?;
        list.unread = found.unread;
        let mut changes = differences(&mut rules, found.rules, self.now());
        let compared = match self.compare(&mut rules).await {
            Ok(compared) => compared,
            Err((compared, error)) => {
                let error = &error as &dyn std::error::Error;
                warn!(list = watched.named.as_str(), error, "not all rules were compared");
                compared
            }
        };
        if list.begun.is_some() {
            match self.compare_again(list, &mut rules).await {
                Ok(more) => {
                    changes.again =
                        more.into_iter().filter(|key| !compared.contains(key)).collect();
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    warn!(list = watched.named.as_str(), error, "rules were not compared again");
                }
            }
        }
        for key in compared.iter().chain(&changes.again) {
            let kept = rules.get(key).cloned();
            changes.pending.insert(key.clone(), kept);
        }
        let left = rules.values().any(|kept| kept.fits.is_none());
        if list.begun.is_some() {
            self.to_tell(watched, list, &rules, &compared, &mut changes).await?;
        } else if !left {
            list.begun = Some(self.now());
            list.compared = list.begun;
            list.untold.push(Told::First(counts(&rules, list)));
        }
        list.pending = changes.pending.into_iter().collect();
        Ok(left)
    }

    /// Puts what is to be told of a list that was read before.
    async fn to_tell(
        &self,
        watched: &WatchedList,
        list: &mut List,
        rules: &BTreeMap<RuleKey, Kept>,
        compared: &[RuleKey],
        changes: &mut Changes,
    ) -> Result<(), store::Error> {
        let mut sorted = Sorted::default();
        let mut allowed = if watched.acts { self.may_still_act(watched)? } else { 0 };
        // Only what is new makes the bot act.
        let new = compared.iter().map(|key| (key, false, true));
        let again = changes.again.iter().map(|key| (key, false, false));
        let known = changes.changed.iter().map(|key| (key, true, false));
        for (key, changed, is_new) in new.chain(again).chain(known) {
            let Some(Kept { rule, fits: Some(fits), .. }) = rules.get(key) else { continue };
            if fits.is_empty() {
                continue;
            }
            let Some(fit) = self.fit(rule, fits, changed).await? else { continue };
            let is_plain = !rule.is_pattern() && rule.recommendation == Recommendation::Ban;
            if is_plain && sorted.acts_on(&fit) {
                // Another rule of this look names it too.
                continue;
            }
            if is_plain && is_new && allowed > 0 && !fit.fits.is_empty() {
                allowed -= 1;
                sorted.acting.push(fit);
            } else if rule.is_pattern() {
                sorted.patterns.push(fit);
            } else if rule.about == About::Users {
                sorted.users.push(fit);
            } else {
                sorted.rooms.push(fit);
            }
        }
        list.untold.extend(sorted.told(std::mem::take(&mut changes.withdrawn)));
        Ok(())
    }

    /// What operators may want to act on of what a rule fits; `None` where there is nothing to say, since it
    /// was let go or acted on before.
    async fn fit(
        &self,
        rule: &Rule,
        found: &Few,
        changed: bool,
    ) -> Result<Option<Fit>, store::Error> {
        let mut fits = Few { at_least: found.at_least, ..Few::default() };
        let mut left_alone = Vec::new();
        for id in &found.ids {
            match self.left_alone(id, rule.is_pattern()).await? {
                None => fits.push(id),
                Some(why) => left_alone.push((id.clone(), why)),
            }
        }
        // Of a pattern that fits more than is kept by their ids the rest is only counted.
        fits.count += found.count.saturating_sub(found.ids.len());
        if fits.is_empty() && left_alone.is_empty() {
            return Ok(None);
        }
        Ok(Some(Fit { rule: rule.clone(), fits, left_alone, changed }))
    }

    /// Why an account or a room that a rule fits is left alone. Of those that a pattern fits nothing is
    /// looked up.
    pub(super) async fn left_alone(
        &self,
        id: &str,
        by_pattern: bool,
    ) -> Result<Option<String>, store::Error> {
        if let Some(let_go) = self.below.lists.let_go(id)? {
            return Ok(Some(format!("let go by {}", let_go.by)));
        }
        if let Some(measure) = self.below.lists.measure(id)? {
            return Ok(Some(format!("I have acted on it already, by a rule of {}", measure.list)));
        }
        let subject = if let Ok(user) = UserId::parse(id) {
            Subject::User(user)
        } else if let Ok(room) = RoomId::parse(id) {
            Subject::Room(room)
        } else {
            return Ok(Some("it is no id that I can act on".to_owned()));
        };
        let gate = self.below.freeze_control.gate();
        let by_id = gate.set_apart(&Target::ordinary(subject.clone()));
        if by_pattern || by_id.is_some() {
            return Ok(by_id.map(str::to_owned));
        }
        match self.state_of(&subject).await {
            Ok(why) => Ok(why),
            Err(stop) => {
                warn!(error = &stop as &dyn std::error::Error, "not looked up for a policy list");
                Ok(Some("it could not be looked up".to_owned()))
            }
        }
    }

    /// Why the present state of an account or room leaves nothing to do, or protects it.
    async fn state_of(&self, subject: &Subject) -> Result<Option<String>, Stop> {
        let reader = self.below.reader.look();
        let target = target(subject, &reader).await?;
        if let Some(what) = self.below.freeze_control.gate().set_apart(&target) {
            return Ok(Some(what.to_owned()));
        }
        let already = match subject {
            Subject::User(user) => match reader.account(user).await? {
                None => Some("it does not exist any more"),
                Some(account) if account.deactivated => Some("it is deactivated"),
                Some(account) if account.locked => Some("it is already locked"),
                Some(account) if account.suspended == Some(true) => Some("it is already suspended"),
                Some(_) => None,
            },
            Subject::Room(room) => {
                fetch::is_blocked(room, &reader).await?.then_some("it is already blocked")
            }
            _ => None,
        };
        Ok(already.map(str::to_owned))
    }

    /// Compares the rules that are not compared yet with what is here, as many as may be at one look: which
    /// they were.
    async fn compare(
        &self,
        rules: &mut BTreeMap<RuleKey, Kept>,
    ) -> Result<Vec<RuleKey>, (Vec<RuleKey>, crate::synapse::Error)> {
        let mut compared = Vec::new();
        let mut here = match self.here(rules).await {
            Ok(here) => here,
            Err(error) => return Err((compared, error)),
        };
        for (key, kept) in rules.iter_mut().filter(|(_, kept)| kept.fits.is_none()) {
            match self.fits(&kept.rule, &mut here).await {
                Ok(Some(fits)) => {
                    kept.fits = Some(fits);
                    compared.push(key.clone());
                }
                Ok(None) => {}
                Err(error) => return Err((compared, error)),
            }
        }
        Ok(compared)
    }

    /// Lists what is here, where more rules are to be compared than are looked up one by one.
    async fn here(&self, rules: &BTreeMap<RuleKey, Kept>) -> Result<Here, crate::synapse::Error> {
        let (reader, own) = (self.below.reader.afresh(), self.below.reader.server_name());
        let open = || rules.values().filter(|kept| kept.fits.is_none()).map(|kept| &kept.rule);
        let lists = |about: About, names: &dyn Fn(&Rule) -> bool| {
            let these = || open().filter(|rule| rule.about == about);
            these().any(|rule| rule.pattern(own).is_some())
                || these().filter(|rule| names(rule)).take(ONE_BY_ONE + 1).count() > ONE_BY_ONE
        };
        let users = if lists(About::Users, &|rule| rule.local_user(own).is_some()) {
            Some(fetch::accounts(&reader).await?)
        } else {
            None
        };
        let rooms = if lists(About::Rooms, &|rule| !rule.is_pattern()) {
            Some(fetch::rooms(&reader).await?)
        } else {
            None
        };
        Ok(Here { users, rooms, look_ups: LOOKED_UP, comparisons: COMPARISONS })
    }

    /// What a rule fits here; `None` where that is left to a later look.
    async fn fits(
        &self,
        rule: &Rule,
        here: &mut Here,
    ) -> Result<Option<Few>, crate::synapse::Error> {
        let own = self.below.reader.server_name();
        if rule.is_pattern() {
            let listed = match rule.about {
                About::Users => here.users.as_ref(),
                About::Rooms => here.rooms.as_ref(),
                About::Servers => None,
            };
            return Ok(match (rule.pattern(own), listed) {
                (Some(pattern), Some(listed)) => {
                    fitting(&pattern, listed, &mut here.comparisons).await
                }
                _ => Some(Few::default()),
            });
        }
        let id = rule.entity.raw();
        let (listed, known) = match rule.about {
            About::Servers => return Ok(Some(Few::default())),
            About::Users if rule.local_user(own).is_none() => return Ok(Some(Few::default())),
            About::Rooms if RoomId::parse(id).is_err() => return Ok(Some(Few::default())),
            About::Users => (here.users.as_ref(), true),
            About::Rooms => (here.rooms.as_ref(), false),
        };
        let mut fits = Few::default();
        match listed {
            Some(listed) if listed.ids.contains_key(id) => fits.push(id),
            Some(listed) if !listed.more => {}
            _ => {
                let Some(left) = here.look_ups.checked_sub(1) else { return Ok(None) };
                here.look_ups = left;
                if self.is_here(id, known).await? {
                    fits.push(id);
                }
            }
        }
        Ok(Some(fits))
    }

    /// Whether there is such an account, which is not deactivated, or such a room.
    async fn is_here(&self, id: &str, account: bool) -> Result<bool, crate::synapse::Error> {
        let reader = self.below.reader.afresh();
        match (UserId::parse(id), RoomId::parse(id)) {
            (Ok(user), _) if account => {
                Ok(reader.account(&user).await?.is_some_and(|account| !account.deactivated))
            }
            (_, Ok(room)) => fetch::knows(&room, &reader).await,
            _ => Ok(false),
        }
    }
}

/// What of these a pattern fits, without the server admins among them; `None` where too much was compared
/// already.
pub(super) async fn fitting(
    pattern: &Pattern,
    listed: &Listed,
    comparisons: &mut usize,
) -> Option<Few> {
    *comparisons = comparisons.checked_sub(listed.ids.len())?;
    let mut fits = Few { at_least: listed.more, ..Few::default() };
    for (n, (id, admin)) in listed.ids.iter().enumerate() {
        if n % AT_ONCE == AT_ONCE - 1 {
            tokio::task::yield_now().await;
        }
        if !admin && pattern.fits(id) {
            fits.push(id);
        }
    }
    fits.at_least &= !fits.is_empty();
    Some(fits)
}

/// What has changed between the rules that were kept and those that stand in the list now, which take
/// their place.
fn differences(
    rules: &mut BTreeMap<RuleKey, Kept>,
    found: BTreeMap<RuleKey, Rule>,
    now: jiff::Timestamp,
) -> Changes {
    let mut changes = Changes::default();
    let gone: Vec<RuleKey> =
        rules.keys().filter(|key| !found.contains_key(*key)).cloned().collect();
    for key in gone {
        changes.withdrawn.extend(rules.remove(&key).and_then(withdrawn));
        changes.pending.insert(key, None);
    }
    for (key, rule) in found {
        let before = rules.get(&key);
        let kept = match before {
            Some(before) if before.rule == rule => continue,
            Some(before) if before.rule.entity == rule.entity => {
                if before.fits.as_ref().is_some_and(|fits| !fits.is_empty()) {
                    changes.changed.push(key.clone());
                }
                Kept { rule, since: before.since, fits: before.fits.clone() }
            }
            before => {
                changes.withdrawn.extend(before.cloned().and_then(withdrawn));
                Kept { rule, since: now, fits: None }
            }
        };
        changes.pending.insert(key.clone(), Some(kept.clone()));
        rules.insert(key, kept);
    }
    changes
}

/// That a rule is gone, where it fitted something.
fn withdrawn(kept: Kept) -> Option<Withdrawn> {
    let fitted = kept.fits.filter(|fits| !fits.is_empty())?;
    Some(Withdrawn { rule: kept.rule, fitted })
}

/// How many rules there are of each kind, and how many fit something here.
pub(super) fn counts(rules: &BTreeMap<RuleKey, Kept>, list: &List) -> Counts {
    let mut counts = Counts { unread: list.unread, ..Counts::default() };
    for Kept { rule, fits, .. } in rules.values() {
        let fits = usize::from(fits.as_ref().is_some_and(|fits| !fits.is_empty()));
        counts.takedowns += usize::from(rule.recommendation == Recommendation::Takedown);
        if rule.about != About::Servers && rule.is_pattern() {
            counts.patterns += 1;
            counts.fit_patterns += fits;
        } else if rule.about == About::Users {
            counts.fit_users += fits;
        } else {
            counts.fit_rooms += fits;
        }
        match rule.about {
            About::Users => counts.users += 1,
            About::Rooms => counts.rooms += 1,
            About::Servers => counts.servers += 1,
        }
    }
    counts
}
