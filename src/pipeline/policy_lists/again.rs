//! Comparing rules again that are known already: an account or a room may have come since.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::{
    PolicyWatch,
    compare::{COMPARISONS, fitting},
    fetch::{self, Listed},
};
use crate::{
    policy_lists::{About, Few, Kept, List, Rule, RuleKey},
    synapse::Error,
};

/// How long after all rules of a list were compared they are compared again.
const AFTER: SignedDuration = SignedDuration::from_hours(1);

impl PolicyWatch {
    /// Compares all rules of a list again with what is here, where that is due: which of them fit something
    /// that they did not fit before.
    pub(super) async fn compare_again(
        &self,
        list: &mut List,
        rules: &mut BTreeMap<RuleKey, Kept>,
    ) -> Result<Vec<RuleKey>, Error> {
        let now = self.now();
        if list.compared.is_some_and(|compared| now.duration_since(compared) < AFTER) {
            return Ok(Vec::new());
        }
        let (reader, own) = (self.below.reader.afresh(), self.below.reader.server_name());
        let any = |wanted: &dyn Fn(&Rule) -> bool| rules.values().any(|kept| wanted(&kept.rule));
        let names_users = any(&|rule| {
            rule.local_user(own).is_some()
                || rule.about == About::Users && rule.pattern(own).is_some()
        });
        let names_rooms = any(&|rule| rule.about == About::Rooms);
        let users = if names_users { fetch::accounts(&reader).await? } else { Listed::default() };
        let rooms = if names_rooms { fetch::rooms(&reader).await? } else { Listed::default() };
        let mut comparisons = COMPARISONS;
        let mut more = Vec::new();
        for (key, kept) in rules.iter_mut() {
            let listed = match kept.rule.about {
                About::Users => &users,
                About::Rooms => &rooms,
                About::Servers => continue,
            };
            let Some(before) = &kept.fits else { continue };
            let Some(fits) = self.fits_now(&kept.rule, listed, &mut comparisons).await else {
                continue;
            };
            if fits.count > before.count {
                kept.fits = Some(fits);
                more.push(key.clone());
            }
        }
        list.compared = Some(now);
        Ok(more)
    }

    /// What of these a rule fits; `None` where it is not compared.
    async fn fits_now(&self, rule: &Rule, listed: &Listed, comparisons: &mut usize) -> Option<Few> {
        let own = self.below.reader.server_name();
        if rule.is_pattern() {
            return fitting(&rule.pattern(own)?, listed, comparisons).await;
        }
        let id = rule.entity.raw();
        let mut fits = Few::default();
        if listed.ids.contains_key(id) {
            fits.push(id);
        }
        Some(fits)
    }
}
