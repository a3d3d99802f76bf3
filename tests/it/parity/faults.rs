//! synadm's faults in what it changes, each shown on a real homeserver, and Synod without it.

use anyhow::Result;
use reqwest::Method;
use serde_json::json;
use world::{Account, Fault, Options, Scene, Synadm, Synapse};

use super::{account_of, done};
use crate::{
    SYNOD,
    secrets::{direct_room, secret_told},
    support::{api, both, devices, is, make, says, watched, with_device, with_yes},
};

/// Every fault of synadm's that is known, and where Synod is shown without it.
const FAULTS: [(u8, &str, &str); 21] = [
    (1, "the short form of unsuspend suspends", "f01_the_short_form_of_unsuspend_unsuspends"),
    (
        2,
        "modify --no-logout logs out",
        "f02_a_password_set_by_modify_logs_nobody_out_where_that_was_said",
    ),
    (3, "deactivate-regex skips accounts", "f03_a_pattern_skips_nobody"),
    (4, "purge-empty --v1 turns --no-purge round", "f04_the_old_way_of_purge_empty_deletes_too"),
    (5, "prune-devices deletes with the id as typed", "f05_a_localpart_is_enough_to_prune_devices"),
    (
        6,
        "prune-devices -i ignores --min-days, and crashes",
        "f06_a_device_named_for_pruning_has_to_be_as_old_as_was_said",
    ),
    (7, "prune-devices --min-days 0 deletes nothing", "f07_no_days_at_all_prune_every_device"),
    (8, "an id that is none is None", "f08_what_is_no_id_is_refused_and_never_means_everybody"),
    (9, "an unknown server name is None", "f09_a_localpart_belongs_to_the_homeserver_of_the_bot"),
    (10, "errors of the API crash its tables", "f10_an_error_of_the_api_is_told_in_words"),
    (11, "errors of the API end with code 0", "f11_what_was_not_done_is_not_told_as_done"),
    (
        12,
        "the address of a Unix socket is encoded anew each time",
        "f12_every_request_of_a_command_goes_to_the_same_address",
    ),
    (
        13,
        "lists fail where accounts are delegated",
        "f13_accounts_are_listed_and_found_where_they_are_delegated",
    ),
    (14, "nought counts as nothing given", "f14_nought_is_a_number"),
    (15, "raw takes braces for a format", "f15_braces_in_a_path_are_braces"),
    (
        16,
        "its configuration is saved without what it needs",
        "f16_a_configuration_without_what_it_needs_is_refused",
    ),
    (
        17,
        "what takes long is told as not done, or crashes",
        "f17_what_was_done_though_no_answer_came_is_not_told_as_not_done",
    ),
    (
        18,
        "power-levels crashes without users, and leaves creators out",
        "f18_power_levels_have_creators_and_need_no_users",
    ),
    (
        19,
        "media quarantine -s with a user wants a media id",
        "f19_all_of_an_account_is_quarantined_and_a_server_beside_it_is_a_slip",
    ),
    (
        20,
        "discovery gives the token to another server",
        "f20_the_token_goes_to_the_configured_address_alone",
    ),
    (
        21,
        "a configuration without a format crashes",
        "f21_what_the_configuration_leaves_out_has_a_default",
    ),
];

#[test]
fn every_known_fault_is_shown() {
    let tests = [
        include_str!("faults.rs"),
        include_str!("faults_of_data.rs"),
        include_str!("faults_of_servers.rs"),
    ]
    .concat();
    for (n, (number, what, test)) in (1..).zip(FAULTS) {
        assert_eq!(number, n, "{what}");
        assert!(tests.contains(&format!("async fn {test}(")), "{number}: no test {test}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f01_the_short_form_of_unsuspend_unsuspends() -> Result<()> {
    let (scene, synadm) = both().await?;
    let (one, two) = (scene.subject("one").await?, scene.subject("two").await?);
    for account in [&one, &two] {
        says(&scene.ann_asks(&format!("!user suspend {}", account.user_id)).await?, "Done", &[]);
    }
    synadm.runs(&["user", "suspend", one.user_id.as_str(), "-U"]).await?;
    assert!(is(&scene, &one, "suspended").await?, "synadm does what it says now");
    let answer = scene.ann_asks(&format!("!user suspend {} -U", two.user_id)).await?;
    assert!(!is(&scene, &two, "suspended").await?, "{}", answer.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn f02_a_password_set_by_modify_logs_nobody_out_where_that_was_said() -> Result<()> {
    let (scene, synadm) = both().await?;
    let (one, _) = account_of(&scene, "one").await?;
    let (two, _) = account_of(&scene, "two").await?;
    let words = ["user", "modify", one.user_id.as_str(), "-P", "correct horse", "--no-logout"];
    synadm.runs(&words).await?;
    assert_eq!(devices(&scene, &one).await?.len(), 0, "synadm does what it says now");
    // A password is not typed in a room: it is made, and told in another.
    let typed = format!("!user modify {} -P \"correct horse\" --no-logout", two.user_id);
    says(&scene.ann_asks(&typed).await?, "Refused", &["do not type a secret in a room"]);
    let command = format!("!user password {} --no-logout", two.user_id);
    says(&scene.ann_asks(&command).await?, "Refused", &["only you may read"]);
    let direct = direct_room(scene.ann()).await?;
    scene.ann().sees_joined(&direct, scene.bot_id()).await?;
    let mark = scene.ann().mark();
    says(&with_yes(&scene, &command).await?, "Done", &[]);
    assert_eq!(devices(&scene, &two).await?.len(), 1);
    let new = Account { password: secret_told(&scene, &direct, mark).await?, ..two };
    scene.synapse().log_in(&new).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn f03_a_pattern_skips_nobody() -> Result<()> {
    let (scene, synadm) = both().await?;
    // They are paged through by name, so that these six are on pages of their own.
    let mut of = [Vec::new(), Vec::new()];
    for (n, name) in ["aone", "atwo"].into_iter().enumerate() {
        for letter in ["a", "b", "c", "d", "e", "f"] {
            of[n].push(scene.subject(&format!("{name}-{letter}")).await?);
        }
    }
    let pattern = |accounts: &[Account]| {
        let first = accounts.first().map_or("", |account| account.user_id.as_str());
        first.replacen("-a-", "-[a-f]-", 1)
    };
    let left = async |accounts: &[Account]| -> Result<usize> {
        let mut left = 0;
        for account in accounts {
            left += usize::from(!is(&scene, account, "deactivated").await?);
        }
        Ok(left)
    };
    synadm.runs(&["user", "deactivate-regex", "-p", "4", &pattern(&of[0])]).await?;
    assert_ne!(left(&of[0]).await?, 0, "synadm does what it says now");
    let command = format!("!user deactivate-regex \"{}\"", pattern(&of[1]));
    says(&done(&scene, &command, &["6"]).await?, "Done", &["6 "]);
    assert_eq!(left(&of[1]).await?, 0);
    Ok(())
}

/// An account with a device that has just been seen and one that was never seen, `SPARE`.
async fn with_two_devices(scene: &Scene, name: &str) -> Result<(Account, String)> {
    let (account, seen) = with_device(scene, name).await?;
    let path = format!("/_synapse/admin/v2/users/{}/devices", account.user_id);
    scene.synapse().admin().post(&path, json!({ "device_id": "SPARE" })).await?;
    Ok((account, seen))
}

#[tokio::test(flavor = "multi_thread")]
async fn f04_the_old_way_of_purge_empty_deletes_too() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    let synadm = Synadm::of(&scene).await?;
    let by = api(&scene, &scene.subject("eve").await?).await?;
    let room = make(&by, json!({})).await?;
    by.post(&format!("/_matrix/client/v3/rooms/{room}/leave"), json!({})).await?;
    let path = format!("/_synapse/admin/v1/rooms/{room}");
    synadm.runs(&["room", "purge-empty", "--v1"]).await?;
    assert_eq!(synapse.admin().get(&path).await?.0, 200, "synadm does what it says now");
    let end: String = room.chars().skip(room.chars().count() - 6).collect();
    says(&done(&scene, "!room purge-empty --v1", &[&end]).await?, "Done", &[&room]);
    world::until("it is gone", async || Ok(synapse.admin().get(&path).await?.0 == 404)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn f05_a_localpart_is_enough_to_prune_devices() -> Result<()> {
    let (scene, synadm) = both().await?;
    let (one, _) = with_two_devices(&scene, "one").await?;
    let (two, _) = with_two_devices(&scene, "two").await?;
    synadm.runs(&["user", "prune-devices", one.user_id.localpart(), "--ts"]).await?;
    assert_eq!(devices(&scene, &one).await?.len(), 2, "synadm does what it says now");
    let command = format!("!user prune-devices {} --never-seen", two.user_id.localpart());
    says(&with_yes(&scene, &command).await?, "Done", &[]);
    assert_eq!(devices(&scene, &two).await?.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn f06_a_device_named_for_pruning_has_to_be_as_old_as_was_said() -> Result<()> {
    let (scene, synadm) = both().await?;
    let (one, one_seen) = with_two_devices(&scene, "one").await?;
    let (two, two_seen) = with_two_devices(&scene, "two").await?;
    let user = one.user_id.as_str();
    synadm.runs(&["user", "prune-devices", user, "--ts", "-d", "90", "-i", &one_seen]).await?;
    assert_eq!(devices(&scene, &one).await?.len(), 1, "synadm does what it says now");
    let crash = synadm.runs(&["user", "prune-devices", user, "-s", "0", "-i", "SPARE"]).await?;
    assert!(crash.crashed_with("TypeError"), "synadm does what it says now: {crash:?}");

    let command = format!("!user prune-devices {} -d 90 -i {two_seen}", two.user_id);
    says(&scene.ann_asks(&command).await?, "Nothing changed", &["no devices to delete"]);
    assert_eq!(devices(&scene, &two).await?.len(), 2);
    let spare = format!("!user prune-devices {} -i SPARE --never-seen", two.user_id);
    says(&with_yes(&scene, &spare).await?, "Done", &[]);
    assert_eq!(devices(&scene, &two).await?.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn f07_no_days_at_all_prune_every_device() -> Result<()> {
    let (scene, synadm) = both().await?;
    let (one, _) = with_device(&scene, "one").await?;
    let (two, _) = with_device(&scene, "two").await?;
    let limits = ["--min-days", "0", "--min-surviving", "0"];
    let words = [["user", "prune-devices", one.user_id.as_str(), "--ts"], limits].concat();
    synadm.runs(&words).await?;
    assert_eq!(devices(&scene, &one).await?.len(), 1, "synadm does what it says now");
    let command = format!("!user prune-devices {} {}", two.user_id, limits.join(" "));
    says(&with_yes(&scene, &command).await?, "Done", &[]);
    assert_eq!(devices(&scene, &two).await?.len(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn f14_nought_is_a_number() -> Result<()> {
    let (scene, synadm) = both().await?;
    let (one, two) = (scene.subject("one").await?, scene.subject("two").await?);
    let crash = synadm.runs(&["media", "purge", "-t", "0"]).await?;
    assert!(crash.crashed_with("UnboundLocalError"), "synadm does what it says now: {crash:?}");
    says(&scene.ann_asks("!media purge -t 0").await?, "Not understood", &[]);

    let login = synadm.runs(&["user", "login", one.user_id.as_str(), "--expire-days", "0"]).await?;
    assert!(login.last()?["access_token"].is_string(), "a token for a day: {login:?}");
    let ours = scene.ann_asks(&format!("!user login {} --expire-days 0", two.user_id)).await?;
    says(&ours, "Not understood", &["--expire-days"]);

    let tokens = "/_synapse/admin/v1/registration_tokens";
    let token = format!("nought-{}", one.user_id.localpart());
    let until = json!({ "token": token, "expiry_time": 1_900_000_000_000_i64 });
    scene.synapse().admin().post(&format!("{tokens}/new"), until).await?;
    synadm.runs(&["regtok", "update", &token, "-t", "0"]).await?;
    let kept = scene.synapse().admin().get(&format!("{tokens}/{token}")).await?.1;
    assert_eq!(kept["expiry_time"], 1_900_000_000_000_i64, "synadm says nothing and does nothing");
    let ours = scene.ann_asks(&format!("!regtok update {token} -t 0")).await?;
    says(&ours, "Not understood", &[]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn f17_what_was_done_though_no_answer_came_is_not_told_as_not_done() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let synadm = Synadm::at(&scene, proxy.url(), json!({ "timeout": 1 })).await?;
    let (one, two) = (scene.subject("one").await?, scene.subject("two").await?);
    let held = proxy.next(Method::POST, "/v1/deactivate/", Fault::HoldAnswer);
    let theirs = synadm.runs(&["user", "deactivate", one.user_id.as_str()]).await?;
    held.release();
    assert!(theirs.out.contains("User could not be deactivate"), "{theirs:?}");
    assert!(is(&scene, &one, "deactivated").await?, "synadm knows it now");

    let _lost = proxy.next(Method::POST, "/v1/deactivate/", Fault::LoseAnswer);
    let ours = with_yes(&scene, &format!("!user deactivate {}", two.user_id)).await?;
    says(&ours, "Unknown", &["State: deactivated"]);
    assert!(is(&scene, &two, "deactivated").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn f19_all_of_an_account_is_quarantined_and_a_server_beside_it_is_a_slip() -> Result<()> {
    let (scene, synadm) = both().await?;
    let eve = scene.subject("eve").await?;
    let picture = format!("a picture of {}", eve.user_id).into_bytes();
    let file = api(&scene, &eve).await?.upload(picture, "image/png", "a.png").await?;
    let path = format!("/_synapse/admin/v1/media/{}", file.trim_start_matches("mxc://"));
    let is_free = async || -> Result<bool> {
        let found = scene.synapse().admin().get(&path).await?.1;
        Ok(found["media_info"]["quarantined_by"].is_null())
    };
    let id = eve.user_id.as_str();
    let said = synadm.runs(&["media", "quarantine", "-s", "synod.test", "-u", id]).await?;
    assert!(said.out.contains("Media ID missing"), "synadm does what it says now: {said:?}");
    assert!(is_free().await?);
    // An account has one server, so that naming one is a slip, and is said to be.
    let slip = scene.ann_asks(&format!("!media quarantine -s synod.test -u {id}")).await?;
    says(&slip, "Not understood", &["--server-name", "--user-id"]);
    assert!(is_free().await?);
    says(&scene.ann_asks(&format!("!media quarantine -u {id}")).await?, "Done", &[&file]);
    assert!(!is_free().await?);
    Ok(())
}
