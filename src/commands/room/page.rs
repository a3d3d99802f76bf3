//! Pages of rooms: how they are collected from the homeserver's, and how they are shown.

use serde::Deserialize;
use serde_json::Value;

use crate::{
    change::Path,
    commands::listing::{
        Filter, Kept, Named, Page, Pages,
        search::{self, Spellings},
    },
    error::Stop,
    reply::{Fact, Hostile, Line, Record},
    synapse::{
        Reader,
        wire::{flag, known, null_unless_known},
    },
};

/// What the homeserver can sort rooms by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum Sort {
    Name,
    CanonicalAlias,
    JoinedMembers,
    JoinedLocalMembers,
    Version,
    Creator,
    Encryption,
    Federatable,
    Public,
    JoinRules,
    GuestAccess,
    HistoryVisibility,
    StateEvents,
}

/// What a picture of rooms shows, and how much of it one has.
pub(super) type Measure = (&'static str, fn(&Row) -> Option<u64>);

impl Sort {
    /// What is measured by this, where that is a number.
    pub(super) fn measure(self) -> Option<Measure> {
        match self {
            Self::JoinedMembers => Some(("Rooms by members", |row: &Row| row.joined_members)),
            Self::JoinedLocalMembers => {
                Some(("Rooms by members of this server", |row: &Row| row.joined_local_members))
            }
            Self::StateEvents => Some(("Rooms by state events", |row: &Row| row.state_events)),
            _ => None,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::CanonicalAlias => "canonical_alias",
            Self::JoinedMembers => "joined_members",
            Self::JoinedLocalMembers => "joined_local_members",
            Self::Version => "version",
            Self::Creator => "creator",
            Self::Encryption => "encryption",
            Self::Federatable => "federatable",
            Self::Public => "public",
            Self::JoinRules => "join_rules",
            Self::GuestAccess => "guest_access",
            Self::HistoryVisibility => "history_visibility",
            Self::StateEvents => "state_events",
        }
    }
}

// In which order rooms come. No doc comment: it would become the verb's help.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(super) struct Order {
    /// Sort by this: texts from A to Z, members, versions and `state_events` largest first; by name by default
    #[arg(short, long, value_enum)]
    pub(super) sort: Option<Sort>,
    /// Reverse the order
    #[arg(short, long)]
    pub(super) reverse: bool,
}

/// Which rooms are wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// What name, alias or id must hold.
    pub(super) name: Option<String>,
    /// In which spellings.
    pub(super) spellings: Spellings,
    /// Whether they are in the directory.
    pub(super) public: Option<bool>,
    /// Whether nobody is in them.
    pub(super) empty: Option<bool>,
}

/// Reads what rooms are searched for.
pub(super) fn term(text: &str) -> Result<String, String> {
    if bare(text).is_empty() {
        return Err("the search text is empty; type a part of a name or alias, or an id".to_owned());
    }
    Ok(text.to_owned())
}

/// The part of a term that the homeserver searches for: of an alias it goes by the part between
/// `#` and colon, so that a whole one would find nothing.
fn bare(term: &str) -> &str {
    let term = term.trim();
    match term.strip_prefix('#') {
        Some(alias) => alias.split_once(':').map_or(alias, |(localpart, _)| localpart),
        None => term,
    }
}

impl Wanted {
    /// What is asked of the homeserver, besides the place and the number.
    ///
    /// It mixes up a search and other filters that come with it, and then lists rooms that fit only
    /// one of them: beside a search I filter myself.
    pub(super) fn query(&self, order: Order) -> Vec<(&'static str, String)> {
        let sort = order.sort.unwrap_or(Sort::Name);
        let mut query = vec![
            ("order_by", sort.as_str().to_owned()),
            ("dir", if order.reverse { "b" } else { "f" }.to_owned()),
        ];
        if let Some(name) = &self.name {
            let asked = search::asked_for(bare(name), self.spellings);
            query.extend(asked.map(|part| ("search_term", part)));
            return query;
        }
        for (key, is) in [("public_rooms", self.public), ("empty_rooms", self.empty)] {
            query.extend(is.map(|is| (key, is.to_string())));
        }
        query
    }

    /// The same in all spellings, where there may be more than the homeserver's.
    pub(super) fn in_all_spellings(&self) -> Option<Self> {
        let more = self.name.as_deref().is_some_and(|name| search::is_spelt_otherwise(bare(name)));
        more.then(|| Self { spellings: Spellings::All, ..self.clone() })
    }

    /// What the homeserver does not filter itself.
    pub(super) fn filter(&self) -> Option<Filter<'static, Row>> {
        let name = self.name.as_deref().map(bare)?;
        let here = search::is_found_here(name, self.spellings);
        if !here && self.public.is_none() && self.empty.is_none() {
            return None;
        }
        let (name, wanted) = (name.to_owned(), self.clone());
        let keeps = move |row: &Row| {
            let fits = (!here || row.is_called(&name))
                && wanted.public.is_none_or(|public| row.public == public)
                && wanted.empty.is_none_or(|empty| row.is_empty() == Some(empty));
            if fits { Kept::Yes } else { Kept::No }
        };
        Some(Box::new(keeps))
    }
}

/// A room as `GET /_synapse/admin/v1/rooms` lists it, and as each answer about one room has it too.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Row {
    /// Its id, which in old databases need not be a valid one.
    pub(super) room_id: String,
    #[serde(default, deserialize_with = "known")]
    pub(super) name: Option<Hostile>,
    #[serde(default, deserialize_with = "known")]
    pub(super) canonical_alias: Option<Hostile>,
    #[serde(default, deserialize_with = "known")]
    pub(super) joined_members: Option<u64>,
    #[serde(default, deserialize_with = "known")]
    pub(super) joined_local_members: Option<u64>,
    #[serde(default, deserialize_with = "known")]
    pub(super) version: Option<Hostile>,
    #[serde(default, deserialize_with = "known")]
    pub(super) creator: Option<Hostile>,
    #[serde(default, deserialize_with = "known")]
    pub(super) encryption: Option<Hostile>,
    /// Whether other servers can take part, if that is known.
    #[serde(default, deserialize_with = "known")]
    pub(super) federatable: Option<bool>,
    #[serde(default, deserialize_with = "flag")]
    pub(super) public: bool,
    #[serde(default, deserialize_with = "known")]
    pub(super) join_rules: Option<Hostile>,
    #[serde(default, deserialize_with = "known")]
    guest_access: Option<Hostile>,
    #[serde(default, deserialize_with = "known")]
    pub(super) history_visibility: Option<Hostile>,
    #[serde(default, deserialize_with = "known")]
    state_events: Option<u64>,
    #[serde(default, deserialize_with = "known")]
    pub(super) room_type: Option<Hostile>,
}

impl Row {
    /// Whether nobody is in it, if that is known.
    fn is_empty(&self) -> Option<bool> {
        self.joined_members.map(|members| members == 0)
    }

    /// Whether the term stands in its name or alias, or is its id.
    fn is_called(&self, term: &str) -> bool {
        let folded = search::folded(term);
        let has = |text: &str| search::holds(text, &folded);
        let alias = self.canonical_alias.as_ref().map(|alias| bare(alias.raw()));
        self.name.as_ref().is_some_and(|name| has(name.raw()))
            || alias.is_some_and(has)
            || self.room_id == term
    }

    /// What sets it apart, in one line.
    fn kind(&self) -> Line {
        let words: Vec<&str> = [
            (self.room_type.as_ref().is_some_and(|kind| kind.raw() == "m.space"), "space"),
            (self.encryption.is_some(), "encrypted"),
            (self.federatable == Some(false), "only for this server"),
        ]
        .into_iter()
        .filter_map(|(is, word)| is.then_some(word))
        .collect();
        words.join(", ").into()
    }
}

/// How it is called.
pub(super) const NAMED: Named = Named {
    key: "rooms",
    one: "room",
    many: "rooms",
    columns: &[
        "room_id",
        "name",
        "canonical_alias",
        "joined_members",
        "joined_local_members",
        "version",
        "creator",
        "encryption",
        "federatable",
        "public",
        "join_rules",
        "guest_access",
        "history_visibility",
        "state_events",
        "room_type",
    ],
};

/// Asks for one page of the homeserver's: `GET /_synapse/admin/v1/rooms`.
pub(super) async fn fetch(
    reader: &Reader,
    mut query: Vec<(&'static str, String)>,
    from: Option<&str>,
    limit: u64,
) -> Result<Page, Stop> {
    #[derive(Deserialize)]
    struct RoomPage {
        rooms: Vec<Value>,
        total_rooms: u64,
        next_batch: Option<u64>,
    }
    query.push(("from", Pages::number(from)?.to_string()));
    query.push(("limit", limit.to_string()));
    let listed: RoomPage = reader.get(&Path::admin(["v1", "rooms"]), &query).await?;
    if listed.total_rooms == 0 && keeps_no_statistics(reader).await {
        let why = "this homeserver keeps no room statistics, so it cannot list or search rooms; \
            you can still look at a room by its id or alias";
        return Err(Stop::failed(why).or(&["room", "details", "#lobby:example.org"]));
    }
    let next = listed.next_batch.map(|next| next.to_string());
    let mut rooms = listed.rooms;
    rooms.iter_mut().for_each(amend);
    Ok(Page { rows: rooms, total: Some(listed.total_rooms), next })
}

/// The counts that the homeserver's statistics have of a room.
const COUNTS: [&str; 3] = ["joined_members", "joined_local_members", "state_events"];

/// Takes out of a room's data what cannot be true.
pub(super) fn amend(room: &mut Value) {
    for count in COUNTS {
        null_unless_known::<u64>(room, count);
    }
}

/// How many of its own rooms are looked at for statistics.
const OWN_ROOMS: usize = 3;

/// Whether the homeserver keeps no statistics of rooms: it has none of those that the bot is in.
pub(super) async fn keeps_no_statistics(reader: &Reader) -> bool {
    if reader.has_seen_statistics() {
        return false;
    }
    let mut looked = 0;
    for own in reader.own() {
        for room in reader.joined_rooms(own).await.unwrap_or_default().iter().take(OWN_ROOMS) {
            let path = Path::admin(["v1", "rooms", room.as_str()]);
            match reader.find::<Value>(&path, &[]).await {
                Ok(Some(room)) if room["joined_members"].is_null() => looked += 1,
                Ok(Some(_)) => {
                    reader.note_statistics();
                    return false;
                }
                Ok(None) | Err(_) => return false,
            }
        }
    }
    looked > 0
}

/// A room for people; what it is sorted by is shown too.
pub(super) fn record(row: &Row, sort: Option<Sort>) -> Record {
    // Shorter than a card has it, so that the row stays two lines of a phone.
    let join = match row.join_rules.as_ref().map(Hostile::raw) {
        Some("invite" | "private") => "by invite".into(),
        _ => who_may_join(row.join_rules.as_ref()),
    };
    let join = if row.public { join.plain(", listed") } else { join };
    let mut facts = vec![("Members", members(row)), ("Join", join)];
    let kind = row.kind();
    if !kind.is_empty() {
        facts.push(("Kind", kind));
    }
    facts.extend(sort.and_then(|sort| sorted_by(row, sort)));
    Record { title: title(row), facts }
}

/// The name of a room, or else its alias, and its id.
pub(super) fn title(row: &Row) -> Line {
    let mut named = [&row.name, &row.canonical_alias].into_iter().flatten();
    match named.find(|name| !name.is_empty()) {
        Some(name) => Line::new().hostile(name).plain(" ").code(&row.room_id),
        None => Line::new().code(&row.room_id),
    }
}

/// Who may join a room, in words; a rule that I do not know as it is.
pub(super) fn who_may_join(rule: Option<&Hostile>) -> Line {
    match rule.map(Hostile::raw) {
        Some("public") => "everybody".into(),
        Some("invite" | "private") => "invite only".into(),
        Some("knock") => "by asking".into(),
        Some("restricted") => "members of other rooms".into(),
        Some("knock_restricted") => "members of other rooms, or by asking".into(),
        _ => or_not_known(rule),
    }
}

/// Who may read a room's history, in words.
pub(super) fn who_may_read(rule: Option<&Hostile>) -> Line {
    match rule.map(Hostile::raw) {
        Some("world_readable") => "everybody, without joining".into(),
        Some("shared") => "members, all of it".into(),
        Some("invited") => "members, from their invitation on".into(),
        Some("joined") => "members, from their joining on".into(),
        _ => or_not_known(rule),
    }
}

/// What a room is sorted by, where it is not shown anyway.
fn sorted_by(row: &Row, sort: Sort) -> Option<Fact> {
    Some(match sort {
        Sort::Version => ("Version", or_not_known(row.version.as_ref())),
        Sort::Creator => ("Created by", or_not_known(row.creator.as_ref())),
        Sort::GuestAccess => (
            "Guests",
            match &row.guest_access {
                // Without a rule of its own a room lets none in.
                None if row.join_rules.is_some() => "none".into(),
                access => or_not_known(access.as_ref()),
            },
        ),
        Sort::HistoryVisibility => ("Who may read", who_may_read(row.history_visibility.as_ref())),
        Sort::StateEvents => (
            "State events",
            row.state_events.map_or_else(|| "not known".into(), |count| count.to_string().into()),
        ),
        Sort::Name
        | Sort::CanonicalAlias
        | Sort::JoinedMembers
        | Sort::JoinedLocalMembers
        | Sort::Encryption
        | Sort::Federatable
        | Sort::Public
        | Sort::JoinRules => return None,
    })
}

/// How many are in it. Where nobody of this server is, those of others are not counted.
pub(super) fn members(row: &Row) -> Line {
    match (row.joined_members, row.joined_local_members) {
        (Some(0), _) if row.join_rules.is_some() => "nobody".into(),
        (Some(0), _) | (None, Some(0)) => "nobody from here; of others it is not known".into(),
        (Some(all), Some(local)) => format!("{all}, {local} here").into(),
        (Some(all), None) => all.to_string().into(),
        (None, _) => "not known".into(),
    }
}

/// What every room has, so that without it, it is only not known.
pub(super) fn or_not_known(text: Option<&Hostile>) -> Line {
    match text {
        Some(text) if !text.is_empty() => Line::new().hostile(text),
        _ => "not known".into(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        commands::user::testing,
        reply::{Block, Reply, phone},
    };

    /// The lobby as a listing has it; the fields of `other` replace its own.
    pub(in crate::commands::room) fn lobby(other: Value) -> Value {
        let mut row = json!({
            "room_id": "!lobby:example.org", "name": "The lobby",
            "canonical_alias": "#lobby_1:example.org", "joined_members": 12,
            "joined_local_members": 3, "version": "11", "creator": "@ann:example.org",
            "encryption": null, "federatable": 1, "public": 1, "join_rules": "public",
            "guest_access": null, "history_visibility": "shared", "state_events": 93,
            "room_type": null,
        });
        if let (Some(row), Value::Object(other)) = (row.as_object_mut(), other) {
            row.extend(other);
        }
        row
    }

    fn row(other: Value) -> Row {
        serde_json::from_value(lobby(other)).unwrap()
    }

    fn wanted(name: Option<&str>, public: Option<bool>, empty: Option<bool>) -> Wanted {
        Wanted { name: name.map(str::to_owned), public, empty, ..Wanted::default() }
    }

    fn asked(wanted: &Wanted, order: Order) -> String {
        let query = wanted.query(order);
        query.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_search_is_never_sent_with_another_filter() {
        let order = Order::default();
        assert_eq!(asked(&Wanted::default(), order), "order_by=name dir=f");
        assert_eq!(
            asked(&wanted(None, Some(true), Some(false)), order),
            "order_by=name dir=f public_rooms=true empty_rooms=false"
        );
        let order = Order { sort: Some(Sort::JoinedMembers), reverse: true };
        assert_eq!(
            asked(&wanted(Some("#lobby:example.org"), Some(true), Some(true)), order),
            "order_by=joined_members dir=b search_term=lobby"
        );
    }

    #[test]
    fn beside_a_search_i_filter_myself() {
        let kept = |wanted: &Wanted, other| wanted.filter().map(|keeps| keeps(&row(other)));
        assert_eq!(kept(&wanted(Some("lobby"), None, None), json!({})), None);
        assert_eq!(kept(&wanted(None, Some(true), Some(true)), json!({})), None);
        let public = wanted(Some("lobby"), Some(true), None);
        assert_eq!(kept(&public, json!({})), Some(Kept::Yes));
        assert_eq!(kept(&public, json!({"public": 0})), Some(Kept::No));
        let empty = wanted(Some("lobby"), None, Some(true));
        assert_eq!(kept(&empty, json!({})), Some(Kept::No));
        assert_eq!(kept(&empty, json!({"joined_members": 0})), Some(Kept::Yes));
        assert_eq!(kept(&wanted(Some("lobby"), None, Some(false)), json!({})), Some(Kept::Yes));
        // Of one whose count cannot be true it is not known, so it is neither.
        for odd in [json!(null), json!(-1), json!(1_u64 << 53)] {
            let odd = json!({ "joined_members": odd });
            for is in [true, false] {
                let fits = kept(&wanted(Some("lobby"), None, Some(is)), odd.clone());
                assert_eq!(fits, Some(Kept::No), "{odd}");
            }
            let fits = kept(&wanted(Some("lobby"), Some(true), None), odd.clone());
            assert_eq!(fits, Some(Kept::Yes), "{odd}");
        }
    }

    #[test]
    fn wildcards_of_the_database_are_ordinary_characters() {
        let kept =
            |term: &str, other| wanted(Some(term), None, None).filter().unwrap()(&row(other));
        assert_eq!(kept("#LOBBY_1:example.org", json!({})), Kept::Yes);
        assert_eq!(kept("y_1", json!({"canonical_alias": "#lobbyx1:example.org"})), Kept::No);
        assert_eq!(kept("0%", json!({"name": "100% fun"})), Kept::Yes);
        assert_eq!(kept("1%f", json!({"name": "100% fun"})), Kept::No);
        assert_eq!(kept("!a_b", json!({"room_id": "!a_b", "name": null})), Kept::Yes);
        // The server's part of an alias is not searched.
        assert_eq!(kept("e_o", json!({"canonical_alias": "#a:e_o.example"})), Kept::No);
        for nothing in ["", "  ", "#", "#:example.org"] {
            assert!(term(nothing).is_err(), "{nothing:?}");
        }
    }

    #[test]
    fn what_the_homeserver_does_not_find_in_every_spelling_is_found_here() {
        for (term, name, sent) in [
            ("ärger", "Ärger-Ecke", " search_term=rger"),
            ("ÄRGER", "Ärger-Ecke", " search_term=RGER"),
            ("жкх", "ЖКХ Дом 5", ""),
        ] {
            let wanted = wanted(Some(term), None, None);
            let query = format!("order_by=name dir=f{sent}");
            assert_eq!(asked(&wanted, Order::default()), query);
            let keeps = wanted.filter().unwrap();
            assert_eq!(keeps(&row(json!({ "name": name }))), Kept::Yes, "{term}");
            assert_eq!(keeps(&row(json!({ "name": "Larger" }))), Kept::No, "{term}");
        }
    }

    #[test]
    fn each_sort_is_sent_by_the_name_that_is_typed() {
        use clap::ValueEnum as _;
        for sort in Sort::value_variants() {
            let typed = sort.to_possible_value().unwrap();
            assert_eq!(typed.get_name(), sort.as_str());
        }
    }

    #[test]
    fn a_room_shows_what_sets_it_apart_and_what_it_is_sorted_by() {
        let shown = |other, sort| {
            let record = record(&row(other), sort);
            testing::reply(&Reply::data("").with(Block::Records(vec![record])))
        };
        insta::assert_snapshot!(shown(json!({}), None), @r"
        * “The lobby” `!lobby:example.org`
          Members: 12, 3 here · Join: everybody, listed
        ");
        let odd = json!({
            "name": null, "canonical_alias": null, "joined_members": 0, "encryption": "x",
            "public": false, "federatable": 0, "room_type": "m.space", "join_rules": null,
        });
        insta::assert_snapshot!(shown(odd, Some(Sort::StateEvents)), @r"
        * `!lobby:example.org`
          Members: nobody from here; of others it is not known · Join: not known · Kind: space, encrypted, only for this server · State events: 93
        ");
    }

    #[test]
    fn a_row_takes_two_lines_of_a_phone_at_most() {
        let row = |name: Value, rule: &str| {
            json!({"room_id": "!OGEhHVWSdvArJz:synod.test", "name": name, "joined_members": 12,
                "canonical_alias": "#lobby:synod.test", "joined_local_members": 3,
                "join_rules": rule, "public": true, "version": "11"})
        };
        let rows =
            [row(json!("Lobby"), "public"), row(Value::Null, "invite"), row(json!("Den"), "knock")];
        let records = rows.map(|row| record(&serde_json::from_value(row).unwrap(), None));
        // Without a name it goes by its alias, which can be as long as the id.
        for (record, most) in records.iter().zip([2, 3, 2]) {
            let body = phone::body(&Reply::data("").with(Block::Records(vec![record.clone()])));
            assert!(phone::lines(&body) <= most, "{body}");
        }
        let reply = Reply::data("3 rooms, all shown").with(Block::Records(records.to_vec()));
        insta::assert_snapshot!(phone::body(&reply), @r"
        3 rooms, all shown

        “Lobby” !OGEhHVWSdvArJz:synod.test
        Members: 12, 3 here · Join: everybody, listed

        “#lobby:synod.test” !OGEhHVWSdvArJz:synod.test
        Members: 12, 3 here · Join: by invite, listed

        “Den” !OGEhHVWSdvArJz:synod.test
        Members: 12, 3 here · Join: by asking, listed
        ");
    }
}
