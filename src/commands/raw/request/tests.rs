use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::{
    commands::{Ask, GROUPS, operations::Reach, user::testing},
    operators::Rank,
};

fn sent(method: Method, endpoint: &str, body: Value) -> Result<Request, String> {
    let read = Request::read(Root::Admin, Some(method), endpoint, body);
    read.map_err(|fault| testing::line(&fault.why))
}

fn looked(endpoint: &str) -> Result<Request, String> {
    let read = Request::read(Root::Admin, None, endpoint, Value::Null);
    read.map_err(|fault| testing::line(&fault.why))
}

fn client(method: Option<Method>, endpoint: &str, body: Value) -> Result<Request, String> {
    let read = Request::read(Root::Client, method, endpoint, body);
    read.map_err(|fault| testing::line(&fault.why))
}

fn ann() -> Subject {
    testing::ann()
}

/// A path of this operation.
fn path_of(operation: &Operation) -> String {
    let part = |word: &str| match word {
        "{user_id}" | "{target_user_id}" => "@ann:example.org".to_owned(),
        "{room_id}" | "{room_identifier}" => "!lobby:example.org".to_owned(),
        "{server_name}" | "{destination}" => "example.org".to_owned(),
        "{report_id}" => "4711".to_owned(),
        other => other.trim_matches(['{', '}']).to_owned(),
    };
    operation.path.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn body_of(operation: &Operation) -> Value {
    match operation.names {
        Names::Nothing | Names::Actor(_) => json!({}),
        Names::Subject(key) => json!({ key: "@ann:example.org" }),
        Names::Others("rooms") => json!({ "rooms": ["!lobby:example.org"] }),
        Names::Others(key) => json!({ key: "@bob:example.org" }),
    }
}

fn method_of(operation: &Operation) -> Option<Method> {
    [Method::Post, Method::Put, Method::Delete].into_iter().find(|m| m.as_str() == operation.method)
}

#[test]
fn every_operation_is_known_by_its_path_and_about_what_stands_in_it() {
    for operation in OPERATIONS {
        let (method, path) = (method_of(operation), path_of(operation));
        let body = if method.is_some() { body_of(operation) } else { Value::Null };
        match Request::read(Root::Admin, method, &path, body) {
            Ok(request) => {
                let known = request.known.expect(operation.path);
                assert_eq!((known.path, known.method), (operation.path, operation.method));
                assert_eq!(request.power(), operation.power, "{}", operation.path);
                let of_user = operation.path.contains("user_id}")
                    || matches!(operation.names, Names::Subject(_));
                if of_user {
                    let About::Is(subject) = &request.about else { panic!("{request:?}") };
                    assert_eq!(subject.user(), ann().user(), "{}", operation.path);
                } else if operation.path.contains("{room_i") {
                    let lobby = "!lobby:example.org".parse().unwrap();
                    assert_eq!(request.about, About::Room(lobby), "{}", operation.path);
                }
            }
            Err(fault) => assert_eq!(fault.instead, operation.withheld, "{}", operation.path),
        }
    }
}

/// What a command costs and takes, where it is one.
fn weight(words: &[String]) -> Option<(Option<Class>, Power)> {
    let group = GROUPS.iter().find(|group| *group.name == words[0])?;
    let verb = group.verbs.iter().find(|verb| *verb.name == words[1])?;
    let command = verb.command().no_binary_name(true);
    let matches = command.try_get_matches_from(words.get(2..)?).ok()?;
    Some(match verb.ask(&matches).ok()?.0 {
        Ask::Read(query) => (None, query.power()),
        Ask::Change(action) => (Some(action.class(1)), action.power()),
    })
}

/// The classes and powers of the examples of a verb.
fn weights(name: &str) -> Vec<(Option<Class>, Power)> {
    let (group, verb) = name.split_once(' ').unwrap_or((name, ""));
    let group = GROUPS.iter().find(|one| one.name == group).expect(name);
    let verb = group.verbs.iter().find(|one| one.name == verb).expect(name);
    let heard = |example: &&str| match crate::input::hear(&format!("!{example}"), None, &|_| true) {
        crate::input::Heard::Command(command) => weight(&command.words),
        _ => None,
    };
    // What is told before it is another request, which weighs by itself.
    let alone = verb.examples.iter().filter(|example| !example.contains(" --tell "));
    alone.filter_map(heard).collect()
}

/// Looks whose answer holds less than the most private look of their verb shows.
const LESS: [&str; 1] = ["v1/users/{user_id}/joined_rooms"];

#[test]
fn no_operation_weighs_less_than_the_verb_that_reaches_it() {
    let mut held = 0;
    for operation in OPERATIONS.iter().filter(|operation| operation.withheld.is_none()) {
        let (Reach::Spoken(verb) | Reach::Elsewhere(verb, _)) = operation.reach else { continue };
        let all = weights(verb);
        assert!(!all.is_empty(), "{verb} has examples");
        let what = format!("{} {} by {verb}", operation.method, operation.path);
        if let Some(class) = operation.class {
            let changes = || all.iter().filter(|(class, _)| class.is_some());
            let dearest = changes().filter_map(|(class, _)| *class).max();
            assert!(Some(class) >= dearest, "{what}: {class:?} is less than {dearest:?}");
            let powers: BTreeSet<Power> = changes().map(|(_, power)| *power).collect();
            assert!(powers.contains(&operation.power), "{what}: {powers:?}");
        } else if !LESS.contains(&operation.path) {
            let looks = all.iter().filter(|(class, _)| class.is_none());
            let most = looks.map(|(_, power)| *power).max_by_key(|power| Rank::with(*power));
            let least = most.is_none_or(|most| Rank::with(operation.power) >= Rank::with(most));
            assert!(least, "{what}: {:?} is less than {most:?}", operation.power);
        }
        held += 1;
    }
    assert!(held > 80, "{held}");
}

#[test]
fn what_it_does_the_work_of_are_verbs() {
    for operation in OPERATIONS {
        for verb in operation.verbs().chain(operation.withheld) {
            let there = crate::pipeline::verbs();
            assert!(there.iter().any(|one| one == verb), "{verb}");
        }
    }
}

#[test]
fn nothing_is_reversible_since_nothing_is_looked_at_before() {
    let suspend = sent(Method::Put, "v1/suspend/@ann:example.org", json!({"suspend": true}));
    let suspend = suspend.unwrap();
    assert_eq!((suspend.class(), suspend.power()), (Class::Disruptive, Power::Moderate));
    assert!(!suspend.phrase());
    // Whatever its fields say.
    for body in [json!({}), json!({"displayname": "Ann"}), json!({"deactivated": true})] {
        let modify = sent(Method::Put, "v2/users/@ann:example.org", body).unwrap();
        assert_eq!((modify.class(), modify.power()), (Class::Irreversible, Power::Account));
        let verbs: Vec<&str> = modify.known.unwrap().verbs().collect();
        assert!(
            verbs.contains(&"user deactivate") && verbs.contains(&"user password"),
            "{verbs:?}"
        );
    }
    let erase = sent(Method::Post, "v1/deactivate/@ann:example.org", json!({"erase": true}));
    assert!(erase.unwrap().phrase());
}

#[test]
fn what_nobody_knows_is_taken_for_the_worst_and_about_whom_it_names() {
    for (endpoint, body, about) in [
        ("v9/nothing/known", json!({}), About::Homeserver),
        ("v9/nothing/@ann:example.org", json!({}), About::Is(ann())),
        ("v9/nothing/!a:example.org/@ann:example.org", json!({}), About::Is(ann())),
        ("v9/nothing?user=@ann:example.org", json!({}), About::Is(ann())),
        ("v9/nothing", json!({"a": [{"b": "@ann:example.org"}]}), About::Is(ann())),
        // The method is part of what is known.
        ("v1/rooms", json!({"of": "@ann:example.org"}), About::Is(ann())),
    ] {
        let request = sent(Method::Post, endpoint, body).unwrap();
        assert!(request.known.is_none(), "{endpoint}");
        assert_eq!((request.class(), request.power()), (Class::Irreversible, Power::Server));
        assert!(request.phrase());
        assert_eq!(request.about, about, "{endpoint}");
    }
    let unknown = looked("v9/nothing/known").unwrap();
    assert!(unknown.known.is_none() && unknown.power() == Power::Server);
    let several = sent(Method::Post, "v9/x/@ann:example.org/@bob:example.org", json!({})).unwrap();
    assert_eq!(
        several.others.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["@bob:example.org"]
    );
}

#[test]
fn who_is_named_besides_is_heard_of() {
    let join = json!({"user_id": "@ann:example.org"});
    let join = sent(Method::Post, "v1/join/!lobby:example.org", join).unwrap();
    assert_eq!(join.about, About::Is(ann()));
    assert_eq!(join.others[0].to_string(), "!lobby:example.org");
    let delete = json!({"new_room_user_id": "@bob:example.org"});
    let delete = sent(Method::Delete, "v2/rooms/!lobby:example.org", delete).unwrap();
    assert_eq!(delete.others.last().unwrap().to_string(), "@bob:example.org");
    for (endpoint, body) in [
        ("v1/join/!lobby:example.org", json!({})),
        ("v1/join/!lobby:example.org", json!({"user_id": "ann"})),
        ("v1/send_server_notice", json!({"content": {}})),
        ("v1/rooms/!lobby:example.org/make_room_admin", json!({})),
        ("v1/user/@ann:example.org/redact", json!({"rooms": []})),
        ("v1/user/@ann:example.org/redact", json!({"rooms": ["lobby"]})),
        ("v1/user/@ann:example.org/redact", json!({})),
    ] {
        assert!(sent(Method::Post, endpoint, body).is_err(), "{endpoint}");
    }
}

#[test]
fn what_extends_a_known_path_weighs_as_the_worst_and_amounts_to_it_too() {
    let redact = "v1/user/@ann:example.org/redact";
    let rooms = json!({"rooms": ["!lobby:example.org"]});
    for path in [format!("{redact}ed"), format!("{redact}/now"), format!("{redact}%20")] {
        let request = sent(Method::Post, &path, rooms.clone()).unwrap();
        assert_eq!((request.class(), request.power()), (Class::Irreversible, Power::Server));
        assert!(request.phrase() && request.known.is_none(), "{path}");
        assert_eq!(request.verbs(), ["user redact"], "{path}");
        assert_eq!(request.about, About::Is(ann()), "{path}");
        // Without it the homeserver would take all rooms, those of the bot among them.
        assert!(sent(Method::Post, &path, json!({"rooms": []})).is_err(), "{path}");
    }
    for (method, path, verb) in [
        (Method::Put, "v1/experimental_features/@ann:example.org/x", "user experimental"),
        (
            Method::Post,
            "v1/users/@ann:example.org/_allow_cross_signing_replacement_without_uia/",
            "user cross-signing-reset",
        ),
        (Method::Put, "v1/suspend/@ann:example.org/x", "user unsuspend"),
    ] {
        let path = path.strip_suffix('/').map_or(path.to_owned(), |path| format!("{path}_x"));
        let request = sent(method, &path, json!({})).unwrap();
        assert!(request.verbs().contains(&verb), "{path}: {:?}", request.verbs());
    }
    let login = "v1/users/@ann:example.org/login2";
    assert!(sent(Method::Post, login, json!({})).unwrap_err().contains("a secret"));
    let data = looked("v1/users/@ann:example.org/accountdata2").unwrap();
    assert_eq!(data.power(), Power::Server, "what nobody knows");
}

#[test]
fn an_event_in_the_path_of_a_purge_is_known() {
    let path = "v1/purge_history/!lobby:example.org/$abc";
    let purge = sent(Method::Post, path, json!({})).unwrap();
    assert_eq!((purge.class(), purge.power()), (Class::Irreversible, Power::Moderate));
    assert!(purge.phrase() && purge.verbs() == ["history purge"], "{purge:?}");
    assert_eq!(purge.about, About::Room("!lobby:example.org".parse().unwrap()));
}

#[test]
fn whoever_makes_somebody_act_by_a_path_takes_what_the_verb_takes() {
    for path in ["v2/rooms/!lobby:example.org", "v1/rooms/!lobby:example.org"] {
        let delete = |body| sent(Method::Delete, path, body).unwrap();
        assert_eq!(delete(json!({"block": true})).power(), Power::Moderate, "{path}");
        let acting = delete(json!({"new_room_user_id": "@bob:example.org"}));
        assert_eq!(acting.power(), Power::Account, "{path}");
        assert!(acting.verbs().contains(&"room join"), "{path}");
        for odd in [json!("bob"), json!(["@bob:example.org"]), json!("")] {
            let body = json!({ "new_room_user_id": odd });
            assert!(sent(Method::Delete, path, body).is_err(), "nobody knows who that is");
        }
    }
    let notice = |body| sent(Method::Post, "v1/send_server_notice", body).unwrap();
    let to = "@ann:example.org";
    assert_eq!(notice(json!({"user_id": to, "content": {}})).power(), Power::Moderate);
    assert_eq!(notice(json!({"user_id": to, "type": "m.room.x"})).power(), Power::Server);
    assert_eq!(notice(json!({"user_id": to, "state_key": ""})).power(), Power::Server);
}

#[test]
fn no_other_method_is_understood() {
    let group = GROUPS.iter().find(|group| group.name == "raw").unwrap();
    for method in ["head", "options", "patch", "trace", "connect", "GETS", "post "] {
        let command = group.alone().unwrap().command().no_binary_name(true);
        let typed = ["v1/rooms", "-m", method];
        assert!(command.try_get_matches_from(typed).is_err(), "{method}");
    }
}

#[test]
fn an_id_in_the_wrong_place_is_no_id() {
    for endpoint in [
        "v2/users/ann",
        "v2/users/!lobby:example.org",
        "v1/rooms/lobby/block",
        "v1/rooms/%23lobby:example.org/block",
        "v1/event_reports/first",
        "v1/federation/destinations/a%20b",
        "v1/whois/@ann",
    ] {
        assert!(looked(endpoint).is_err(), "{endpoint}");
    }
    for endpoint in ["v2/Users/@ann:example.org", "v2/USERS", "v1/whoIs/@ann:example.org"] {
        assert!(looked(endpoint).unwrap_err().contains("lower case"), "{endpoint}");
    }
    // What stands between the words is as it is.
    assert!(looked("v2/users/@Ann:example.org").is_ok());
}

#[test]
fn what_would_answer_with_a_secret_is_refused_with_the_right_verb() {
    for (method, endpoint, verb) in [
        (None, "v1/search_users/@ann:example.org?term=a", "user search"),
        (None, "v1/register", "user register"),
        (Some(Method::Post), "v1/register", "user register"),
        (Some(Method::Post), "v1/users/@ann:example.org/login", "user login"),
        (Some(Method::Post), "v1/users/%40ann:example.org/%6Cogin", "user login"),
    ] {
        let body = if method.is_some() { json!({}) } else { Value::Null };
        let fault = Request::read(Root::Admin, method, endpoint, body).unwrap_err();
        assert_eq!(fault.instead, Some(verb), "{endpoint}");
    }
}

#[test]
fn nothing_of_the_admin_account_is_asked_of_the_api_of_clients() {
    const ANY: [Option<Method>; 4] =
        [None, Some(Method::Post), Some(Method::Put), Some(Method::Delete)];
    for path in [
        "sync",
        "events",
        "initialSync",
        "account/whoami",
        "account/3pid",
        "account/password",
        "account/deactivate",
        "login",
        "login/get_token",
        "logout",
        "logout/all",
        "refresh",
        "register",
        "devices",
        "devices/X",
        "delete_devices",
        "keys/query",
        "keys/upload",
        "keys/changes",
        "keys/device_signing/upload",
        "room_keys/version",
        "room_keys/keys",
        "pushers",
        "pushers/set",
        "pushrules",
        "notifications",
        "joined_rooms",
        "user/@ann:example.org/account_data/m.direct",
        "user/@ann:example.org/openid/request_token",
        "user/@ann:example.org/filter",
        "sendToDevice/m.x/1",
        "presence/@ann:example.org/status",
        "voip/turnServer",
        "admin/whois/@ann:example.org",
        "search",
        "user_directory/search",
        "thirdparty/protocols",
        "dehydrated_device",
        "media/download/example.org/x",
        "join/!lobby:example.org",
        "knock/!lobby:example.org",
        "rendezvous",
    ] {
        for (version, method) in ["r0", "v1", "v3"].iter().flat_map(|v| ANY.map(|m| (v, m))) {
            for typed in [path.to_owned(), path.replace('s', "%73")] {
                let body = if method.is_some() { json!({}) } else { Value::Null };
                let endpoint = format!("client/{version}/{typed}");
                assert!(client(method, &endpoint, body).is_err(), "{method:?} {endpoint}");
            }
        }
    }
    assert!(client(None, "client/v3/publicRooms?user_id=@ann:example.org", Value::Null).is_err());
}

#[test]
fn of_the_api_of_clients_what_is_known_is_looked_at_and_all_else_the_worst() {
    let state = client(None, "client/v3/rooms/!lobby:example.org/state", Value::Null).unwrap();
    assert_eq!(state.power(), Power::LookPrivate);
    let rooms = client(None, "client/r0/publicRooms", Value::Null).unwrap();
    assert_eq!((rooms.power(), rooms.about), (Power::Look, About::Homeserver));
    let lobby = About::Room("!lobby:example.org".parse().unwrap());
    let body = json!({"user_id": "@ann:example.org"});
    let ban = client(Some(Method::Post), "client/v3/rooms/!lobby:example.org/ban", body).unwrap();
    assert_eq!((ban.class(), ban.power()), (Class::Irreversible, Power::Server));
    assert!(ban.phrase() && ban.about == lobby && ban.others.contains(&ann()), "{ban:?}");
    // An alias that is made leads nowhere yet.
    let body = json!({"room_id": "!lobby:example.org"});
    let alias = "client/v3/directory/room/%23new:example.org";
    assert_eq!(client(Some(Method::Put), alias, body).unwrap().about, lobby);
    let gone = client(Some(Method::Delete), alias, json!({})).unwrap().about;
    assert_eq!(gone, About::Room("#new:example.org".parse().unwrap()));
}

#[test]
fn a_request_is_sent_as_it_was_understood() {
    let typed = "v1/rooms/%21lobby:example.org/messages?dir=b&filter={\"types\":[]}";
    let request = looked(typed).unwrap();
    assert_eq!(
        request.path,
        Path::admin(["v1", "rooms", "!lobby:example.org", "messages"]),
        "{typed}"
    );
    assert_eq!(
        request.line(),
        "GET /_synapse/admin/v1/rooms/!lobby:example.org/messages?dir=b&filter={\"types\":[]}"
    );
}

/// The words as they would be typed behind `raw`.
fn ask(words: &[&str]) -> Ask {
    let group = GROUPS.iter().find(|group| group.name == "raw").unwrap();
    let verb = group.alone().unwrap();
    let matches = verb.command().no_binary_name(true).try_get_matches_from(words).unwrap();
    verb.ask(&matches).unwrap().0
}

#[test]
fn a_secret_that_was_typed_makes_the_message_go() {
    for words in [
        &[
            "v1/reset_password/@ann:example.org",
            "-m",
            "post",
            "-d",
            r#"{"new_password": "hunter2"}"#,
        ][..],
        &["v2/users/@ann:example.org", "-m", "PUT", "-d", r#"{"password": "hunter2"}"#],
        &["v2/users/@ann:example.org", "-d", r#"{"password": "hunter2"}"#],
        &["../x", "-m", "put", "-d", r#"{"password": "hunter2"}"#],
        &["v1/rooms?access_token=hunter2"],
        &["v1/rooms?limit=1&access%5Ftoken=hunter2", "-m", "post"],
        &["../x?access_token=hunter2"],
    ] {
        let Ask::Change(action) = ask(words) else { panic!("{words:?} is no change") };
        assert!(!action.typed().is_empty(), "{words:?}");
        assert!(!format!("{action:?}").contains("hunter2"), "{action:?}");
    }
    assert!(matches!(ask(&["v1/rooms"]), Ask::Read(_)));
    // Nothing of it is a change, so that nothing of it is asked about.
    for words in [&["v1/rooms", "-d", "{}"][..], &["..", "-m", "post"], &["v1/x", "-f", "a.json"]] {
        assert!(matches!(ask(words), Ask::Read(_)), "{words:?}");
    }
}

#[test]
fn no_secret_stands_in_the_request() {
    let words = [
        "v1/reset_password/@ann:example.org",
        "-m",
        "post",
        "-d",
        r#"{"new_password": "hunter2"}"#,
    ];
    let Ask::Change(action) = ask(&words) else { panic!("it is a change") };
    let change = action.change(&ann(), &crate::change::Snapshot::default()).unwrap();
    assert_eq!(change.steps[0].body, json!({"new_password": {"$secret": "password"}}));
}
